# smeta_module(NAME [FOLDER path] [OPTIONS name] [DEPENDS module...] [PUBLIC lib...] [PRIVATE lib...]): one static library per
# module from src/NAME/*.cpp (or src/FOLDER/*.cpp). OPTIONS: what its compile options and definitions are called, where they
# are not those of its libraries alone.
# DEPENDS is the whole list of modules it may include (design: docs/architecture.md); scripts/check_layers.py agrees with it.
include(GNUInstallDirs)
find_program(SMETA_CCACHE ccache)
if(SMETA_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    # Without this ccache does not keep what is compiled with a precompiled header.
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${SMETA_CCACHE})
endif()

if(SMETA_SANITIZE STREQUAL "address")
    # A number that does not fit its integer type is no part of "undefined": parsers convert numbers of strangers.
    set(smeta_sanitizers -fsanitize=address,undefined,float-cast-overflow)
    add_compile_options(${smeta_sanitizers} -fno-sanitize-recover=all -fno-omit-frame-pointer -O1 -g)
    add_compile_definitions(_GLIBCXX_ASSERTIONS)
    add_link_options(${smeta_sanitizers})
elseif(SMETA_SANITIZE)
    message(FATAL_ERROR "SMETA_SANITIZE is '${SMETA_SANITIZE}'; known: address")
endif()

add_library(smeta_flags INTERFACE)
target_compile_options(smeta_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
                                             $<$<BOOL:${SMETA_WERROR}>:-Werror>)
# GCC 12 sees overlapping copies in inlined std::string concatenation (GCC PR 105651), copies of impossible size in it where
# the standard library is precompiled, and an uninitialised register in its own AVX-512 intrinsics (PR 105593).
target_compile_options(smeta_flags INTERFACE
    $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-restrict;-Wno-stringop-overflow;-Wno-array-bounds;-Wno-maybe-uninitialized>)

# With AVX-512, GCC 12 turns constants of four or eight 64-bit numbers, of which the first are equal and the last are 0, into
# equal numbers (tests/unit/core/constants.cpp); copies by 16 bytes are compiled rightly. Kernels keep their width.
include(CheckCXXCompilerFlag)
set(SMETA_CONSTANT_FLAGS)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    check_cxx_compiler_flag("-mmove-max=128 -mstore-max=128" SMETA_HAVE_MOVE_MAX)
    if(SMETA_HAVE_MOVE_MAX)
        set(SMETA_CONSTANT_FLAGS $<$<CXX_COMPILER_ID:GNU>:-mmove-max=128> $<$<CXX_COMPILER_ID:GNU>:-mstore-max=128>)
    endif()
endif()

# What most sources include takes longer to read than a source itself to compile. Modules of the same options share it
# precompiled. Headers include what they use all the same (tests/header).
set(SMETA_PRECOMPILED <algorithm> <array> <cmath> <cstdint> <filesystem> <functional> <map> <memory> <numeric> <optional>
                      <set> <span> <sstream> <string> <string_view> <vector> <Eigen/Core> <fmt/format.h>)
function(smeta_precompile TARGET OPTIONS)
    get_property(first GLOBAL PROPERTY SMETA_PRECOMPILED_${OPTIONS})
    if(first)
        target_precompile_headers(${TARGET} REUSE_FROM ${first})
    else()
        target_precompile_headers(${TARGET} PRIVATE ${SMETA_PRECOMPILED})
        set_property(GLOBAL PROPERTY SMETA_PRECOMPILED_${OPTIONS} ${TARGET})
    endif()
endfunction()

function(smeta_module NAME)
    cmake_parse_arguments(ARG "" "FOLDER;OPTIONS" "DEPENDS;PUBLIC;PRIVATE" ${ARGN})
    if(NOT ARG_FOLDER)
        set(ARG_FOLDER ${NAME})
    endif()
    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${ARG_FOLDER}/*.cpp)
    if(NOT sources)
        return()
    endif()
    add_library(smeta_${NAME} STATIC ${sources})
    add_library(smeta::${NAME} ALIAS smeta_${NAME})
    target_compile_features(smeta_${NAME} PUBLIC cxx_std_20)
    target_include_directories(smeta_${NAME} PUBLIC $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include>
                                                    $<BUILD_INTERFACE:${CMAKE_BINARY_DIR}/include>
                                                    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
    # The same flags everywhere, also in programs that use the installed package: Eigen's types change layout and allocation
    # with the instruction set.
    target_compile_options(smeta_${NAME} PUBLIC -march=${SMETA_MARCH} ${SMETA_CONSTANT_FLAGS})
    target_compile_definitions(smeta_${NAME} PUBLIC EIGEN_DONT_PARALLELIZE)
    set(modules)
    foreach(module IN LISTS ARG_DEPENDS)
        if(TARGET smeta_${module})  # modules without sources have none
            list(APPEND modules smeta_${module})
        endif()
    endforeach()
    target_link_libraries(smeta_${NAME} PUBLIC ${modules} ${ARG_PUBLIC}
                                        PRIVATE ${ARG_PRIVATE} $<BUILD_INTERFACE:smeta_flags>)
    if(NOT ARG_OPTIONS)
        set(ARG_OPTIONS serial)
        if(OpenMP::OpenMP_CXX IN_LIST ARG_PRIVATE)
            set(ARG_OPTIONS openmp)
        endif()
    endif()
    smeta_precompile(smeta_${NAME} ${ARG_OPTIONS})
    set_property(TARGET smeta_${NAME} PROPERTY EXPORT_NAME ${NAME})
    set_property(GLOBAL APPEND PROPERTY SMETA_MODULES smeta_${NAME})
endfunction()
