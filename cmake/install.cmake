# Install rules: the headers, and what find_package(tokenworks) reads.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

# Headers know no architecture, so the files go under share/ and the version file does not compare pointer sizes.
set(package_dir "${CMAKE_INSTALL_DATADIR}/cmake/tokenworks")

install(TARGETS tokenworks EXPORT tokenworks FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
        INCLUDES DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(EXPORT tokenworks NAMESPACE tokenworks:: FILE tokenworks-targets.cmake DESTINATION "${package_dir}")

configure_package_config_file(cmake/tokenworks-config.cmake.in tokenworks-config.cmake
                              INSTALL_DESTINATION "${package_dir}")
# Before 1.0 a minor version may change the interface.
write_basic_package_version_file(tokenworks-config-version.cmake COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/tokenworks-config.cmake"
              "${CMAKE_CURRENT_BINARY_DIR}/tokenworks-config-version.cmake"
              cmake/dependencies.cmake
              cmake/compiled.cmake
        DESTINATION "${package_dir}")
install(FILES LICENSE DESTINATION "${CMAKE_INSTALL_DOCDIR}")
# The program, where it was built, and the small models that it finds beside it.
if(TARGET tokenworks_cli)
    install(TARGETS tokenworks_cli RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" OPTIONAL)
    file(GLOB models CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/models/*.gguf")
    install(FILES ${models} DESTINATION "${CMAKE_INSTALL_DATADIR}/tokenworks/models")
endif()
