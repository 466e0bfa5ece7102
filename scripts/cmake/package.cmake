# The library for other programs: headers, a static library, and a package for find_package(sdx).
# The package finds the same libraries as the build did, by the files of third_party/.

set(sdx_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/sdx")
install(TARGETS sdx ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT development)
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/sdx" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
        COMPONENT development)
install(FILES "${sdx_version_header}" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/sdx"
        COMPONENT development)
install(DIRECTORY "${PROJECT_SOURCE_DIR}/third_party" DESTINATION "${sdx_package_dir}"
        COMPONENT development FILES_MATCHING PATTERN "*.cmake" PATTERN "*.env")
# Built by scripts/setup.sh, so no other machine has it.
install(DIRECTORY "${SDX_SENTENCEPIECE}/lib" "${SDX_SENTENCEPIECE}/include"
        DESTINATION "${sdx_package_dir}/sentencepiece" COMPONENT development)

include(CMakePackageConfigHelpers)
configure_package_config_file(
  "${PROJECT_SOURCE_DIR}/scripts/cmake/sdxConfig.cmake.in"
  "${PROJECT_BINARY_DIR}/generated/sdxConfig.cmake" INSTALL_DESTINATION "${sdx_package_dir}"
  PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/generated/sdxConfigVersion.cmake"
                                 COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/generated/sdxConfig.cmake"
              "${PROJECT_BINARY_DIR}/generated/sdxConfigVersion.cmake"
        DESTINATION "${sdx_package_dir}" COMPONENT development)
