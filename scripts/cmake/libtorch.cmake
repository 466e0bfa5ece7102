# libtorch's libraries, installed beside the programs: what is installed needs nothing of the cache in
# which they were found, and may be moved. In the layout of the wheels (torch/lib and nvidia/), in
# which builds for NVIDIA GPUs find their libraries.

if(NOT SDX_INSTALL_LIBTORCH)
  return()
endif()

# The same path in the build tree, where a link leads to libtorch: CMake could exchange it at the
# installation, but then ends the build tree's with an empty entry, which means the current folder.
file(MAKE_DIRECTORY "${PROJECT_BINARY_DIR}/lib/sdx")
file(CREATE_LINK "${SDX_LIBTORCH}" "${PROJECT_BINARY_DIR}/lib/sdx/torch" SYMBOLIC)
set_target_properties(sdx_tools PROPERTIES INSTALL_RPATH "$ORIGIN/torch/lib;$ORIGIN")

# All but what serves Python and libtorch's own tests.
set(sdx_unneeded "")
foreach(name IN ITEMS libtorch_python libtorch_global_deps libshm libaoti_custom_ops
                      libbackend_with_compiler libjitbackend_test libtorchbind_test)
  list(APPEND sdx_unneeded PATTERN "${name}*" EXCLUDE)
endforeach()
install(
  DIRECTORY "${SDX_LIBTORCH}/lib/"
  DESTINATION lib/sdx/torch/lib
  FILES_MATCHING
  PATTERN "*.so"
  PATTERN "*.so.*"
  PATTERN cmake EXCLUDE
  ${sdx_unneeded})
if(EXISTS "${SDX_LIBTORCH}/lib/libtorch_cuda.so" AND IS_DIRECTORY "${SDX_LIBTORCH}/../nvidia")
  install(
    DIRECTORY "${SDX_LIBTORCH}/../nvidia"
    DESTINATION lib/sdx
    FILES_MATCHING
    PATTERN "*.so"
    PATTERN "*.so.*"
    PATTERN include EXCLUDE
    PATTERN bin EXCLUDE)
endif()
