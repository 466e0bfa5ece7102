# sdx_version: the generated header sdx/version.h. The git revision is read at every build, not only
# when CMake configures, and the header is written only if something in it changed.

set(sdx_version_header "${PROJECT_BINARY_DIR}/generated/sdx/version.h")
set(sdx_version_command
    "${CMAKE_COMMAND}" "-DSOURCE=${PROJECT_SOURCE_DIR}" "-DOUTPUT=${sdx_version_header}"
    "-DVERSION=${PROJECT_VERSION}" "-DTORCH_VERSION=${SDX_FOUND_TORCH_VERSION}"
    "-DOPENCV_VERSION=${SDX_FOUND_OPENCV_VERSION}" "-DBUILD_TYPE=${CMAKE_BUILD_TYPE}" -P
    "${PROJECT_SOURCE_DIR}/scripts/cmake/write_version.cmake")
execute_process(COMMAND ${sdx_version_command} COMMAND_ERROR_IS_FATAL ANY)
add_custom_target(sdx_version_header ALL COMMAND ${sdx_version_command}
                  BYPRODUCTS "${sdx_version_header}" COMMENT "Reading the git revision" VERBATIM)
add_library(sdx_version INTERFACE)
add_dependencies(sdx_version sdx_version_header)
target_include_directories(sdx_version INTERFACE "${PROJECT_BINARY_DIR}/generated")
