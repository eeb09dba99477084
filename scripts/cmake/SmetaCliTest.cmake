# smeta_cli_test(NAME [TIMEOUT s] [PROCESSORS n] [SLOW]): the Python script NAME.py of this folder gets the executable, the
# launcher and its flags (binding; root where it applies) as arguments; see tests/cli/smeta_cli.py. Label: the folder's name.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
function(smeta_cli_test NAME)
    cmake_parse_arguments(ARG "SLOW" "TIMEOUT;PROCESSORS" "" ${ARGN})
    if(NOT ARG_TIMEOUT)
        set(ARG_TIMEOUT 60)
    endif()
    if(SMETA_SANITIZE)
        math(EXPR ARG_TIMEOUT "${ARG_TIMEOUT} * 10")
    endif()
    if(NOT ARG_PROCESSORS)
        set(ARG_PROCESSORS 1)
    endif()
    get_filename_component(layer ${CMAKE_CURRENT_SOURCE_DIR} NAME)
    set(labels ${layer})
    if(ARG_SLOW)
        list(APPEND labels slow)
    endif()
    add_test(NAME ${layer}/${NAME} COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/${NAME}.py
                                           $<TARGET_FILE:smeta> ${MPIEXEC_EXECUTABLE} ${SMETA_MPI_FLAGS})
    set_tests_properties(${layer}/${NAME} PROPERTIES LABELS "${labels}" TIMEOUT ${ARG_TIMEOUT}
                         PROCESSORS ${ARG_PROCESSORS} SKIP_RETURN_CODE 77)
endfunction()
