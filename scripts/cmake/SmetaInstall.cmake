# Installs headers, libraries, the executable and a CMake package: find_package(smeta) gives smeta::<module>.
include(CMakePackageConfigHelpers)
set(SMETA_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/smeta)

install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/smeta DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.hpp")
install(FILES ${CMAKE_BINARY_DIR}/include/smeta/core/version.hpp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/smeta/core)
get_property(smeta_modules GLOBAL PROPERTY SMETA_MODULES)
install(TARGETS ${smeta_modules} EXPORT smetaTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(TARGET smeta)
    install(TARGETS smeta RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(EXPORT smetaTargets NAMESPACE smeta:: DESTINATION ${SMETA_PACKAGE_DIR})

# The package finds its dependencies with the file that the build finds them with.
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/smetaConfig.cmake.in ${CMAKE_BINARY_DIR}/smetaConfig.cmake
                              INSTALL_DESTINATION ${SMETA_PACKAGE_DIR} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/smetaConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/smetaConfig.cmake ${CMAKE_BINARY_DIR}/smetaConfigVersion.cmake
              ${CMAKE_CURRENT_LIST_DIR}/SmetaDependencies.cmake DESTINATION ${SMETA_PACKAGE_DIR})
