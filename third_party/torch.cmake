# sdx::torch: libtorch, from a wheel or unpacked.
#
# Not find_package(Torch): that one looks for MKL and CUDA toolkits that we do not use, and adds
# flags of its own to every target.

set(sdx_torch_api "${SDX_LIBTORCH}/include/torch/csrc/api/include")
set(sdx_torch_version_header "${SDX_LIBTORCH}/include/torch/headeronly/version.h")
if(NOT EXISTS "${sdx_torch_version_header}")
  set(sdx_torch_version_header "${sdx_torch_api}/torch/version.h")
endif()
if(NOT EXISTS "${SDX_LIBTORCH}/lib/libtorch_cpu.so" OR NOT EXISTS "${sdx_torch_version_header}")
  sdx_missing("libtorch ${SDX_TORCH_VERSION} is not in '${SDX_LIBTORCH}'")
endif()
foreach(part IN ITEMS MAJOR MINOR PATCH)
  sdx_read_version(sdx_torch_${part} "${sdx_torch_version_header}"
                   "define TORCH_VERSION_${part} ([0-9]+)")
endforeach()
set(SDX_FOUND_TORCH_VERSION "${sdx_torch_MAJOR}.${sdx_torch_MINOR}.${sdx_torch_PATCH}")
# Others are taken: an unpacked libtorch of a cluster is seldom exactly ours.
if(SDX_FOUND_TORCH_VERSION VERSION_LESS SDX_TORCH_OLDEST)
  sdx_missing(
    "The libtorch in '${SDX_LIBTORCH}' is version ${SDX_FOUND_TORCH_VERSION}, but sdx needs ${SDX_TORCH_OLDEST} or newer"
  )
endif()

# libtorch's own include folder holds a newer fmt than the one that the system's spdlog was built
# with, and would hide it. A folder with nothing but a link to the system's fmt stands before it, so
# that every file that sees libtorch still sees the right fmt, whatever the order of the targets.
set(sdx_torch_includes "${SDX_LIBTORCH}/include" "${sdx_torch_api}")
find_path(SDX_FMT_INCLUDE_DIR fmt/core.h PATHS /usr/include NO_DEFAULT_PATH)
mark_as_advanced(SDX_FMT_INCLUDE_DIR)
if(SDX_FMT_INCLUDE_DIR)
  file(MAKE_DIRECTORY "${PROJECT_BINARY_DIR}/third_party/fmt_first")
  file(CREATE_LINK "${SDX_FMT_INCLUDE_DIR}/fmt" "${PROJECT_BINARY_DIR}/third_party/fmt_first/fmt"
       SYMBOLIC)
  list(PREPEND sdx_torch_includes "${PROJECT_BINARY_DIR}/third_party/fmt_first")
endif()

# libtorch.so pulls in the CUDA libraries where it has any. They register themselves when loaded, and
# no symbol of theirs is used: a linker that drops unused libraries (Ubuntu's default) must not.
set(sdx_torch_libraries "-Wl,--push-state,--no-as-needed" "${SDX_LIBTORCH}/lib/libtorch.so"
                        "-Wl,--pop-state" "${SDX_LIBTORCH}/lib/libtorch_cpu.so"
                        "${SDX_LIBTORCH}/lib/libc10.so")
foreach(library IN ITEMS libtorch_cuda.so libc10_cuda.so)
  if(EXISTS "${SDX_LIBTORCH}/lib/${library}")
    list(APPEND sdx_torch_libraries "${SDX_LIBTORCH}/lib/${library}")
  endif()
endforeach()

# Recording graphs of a GPU's work needs CUDA's headers as well: those of libtorch's own CUDA, as its
# classes have other members with others. The wheels that come with libtorch lack those of the
# compiler (crt/); scripts/setup.sh fetches them. One file of ours uses them.
set(SDX_CUDA_INCLUDE_DIR "" CACHE PATH "CUDA's headers; empty: found beside libtorch or in a toolkit")
option(SDX_GPU_RECORDINGS "Record the work of a GPU where CUDA's headers are; OFF to measure without" ON)
mark_as_advanced(SDX_CUDA_INCLUDE_DIR SDX_GPU_RECORDINGS)

if(SDX_GPU_RECORDINGS AND EXISTS "${SDX_LIBTORCH}/lib/libc10_cuda.so")
  include("${CMAKE_CURRENT_LIST_DIR}/cuda_headers.cmake")
  sdx_find_cuda_headers(sdx_cuda_headers "${SDX_LIBTORCH}" "${SDX_CUDA_INCLUDE_DIR}")
  if(sdx_cuda_headers)
    set(sdx_cuda_options "")
    foreach(folder IN LISTS sdx_cuda_headers)
      list(APPEND sdx_cuda_options "-isystem" "${folder}")
    endforeach()
    set_source_files_properties(
      "${PROJECT_SOURCE_DIR}/src/device/graph.cpp"
      PROPERTIES COMPILE_DEFINITIONS SDX_WITH_CUDA_GRAPHS COMPILE_OPTIONS "${sdx_cuda_options}"
                 SKIP_PRECOMPILE_HEADERS ON)
    message(STATUS "CUDA's headers: ${sdx_cuda_headers}")
  else()
    message(STATUS "CUDA's headers: none, so the work of a GPU is not recorded as a graph, which is slower; "
                   "run scripts/setup.sh, or install the toolkit of libtorch's CUDA, or name its include folder "
                   "with -DSDX_CUDA_INCLUDE_DIR=")
  endif()
endif()

find_package(Threads REQUIRED)
add_library(sdx_torch INTERFACE)
add_library(sdx::torch ALIAS sdx_torch)
target_include_directories(sdx_torch SYSTEM INTERFACE ${sdx_torch_includes})
target_link_libraries(sdx_torch INTERFACE ${sdx_torch_libraries} Threads::Threads)

# Builds for old systems (before 2.7) used the C++ ABI of GCC 4. The library says which one it is.
file(STRINGS "${SDX_LIBTORCH}/lib/libc10.so" sdx_torch_new_abi REGEX "__cxx11" LIMIT_COUNT 1)
if(NOT sdx_torch_new_abi)
  message(FATAL_ERROR "The libtorch in '${SDX_LIBTORCH}' was built with the old C++ ABI; "
                      "sdx needs one with the cxx11 ABI, as all since 2.7 are.")
endif()
target_compile_definitions(sdx_torch INTERFACE _GLIBCXX_USE_CXX11_ABI=1)
message(STATUS "libtorch ${SDX_FOUND_TORCH_VERSION}: ${SDX_LIBTORCH}")
