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

# sdx_cuda_headers_fault(VARIABLE MAJOR FOLDER...): why the folders together are not CUDA's headers of
# that major version; empty if they are.
function(sdx_cuda_headers_fault variable major)
  set(${variable} "" PARENT_SCOPE)
  foreach(header IN ITEMS cuda.h cuda_runtime_api.h crt/host_config.h)
    sdx_find_in(found_${header} ${header} ${ARGN})
    if(NOT found_${header})
      set(${variable} "there is no ${header}" PARENT_SCOPE)
      return()
    endif()
  endforeach()
  sdx_read_version(version "${found_cuda.h}" "define CUDA_VERSION ([0-9]+)")
  math(EXPR found_major "${version} / 1000")
  if(NOT found_major EQUAL major)
    set(${variable} "they are of CUDA ${found_major}, and libtorch's are of ${major}" PARENT_SCOPE)
  elseif(version LESS 12040)  # libtorch's CUDAGraph has other members before
    set(${variable} "they are older than CUDA 12.4" PARENT_SCOPE)
  endif()
endfunction()

# sdx_find_in(VARIABLE FILE FOLDER...): the file in the first of the folders that has it; empty if none has.
function(sdx_find_in variable file)
  set(${variable} "" PARENT_SCOPE)
  foreach(folder IN LISTS ARGN)
    if(EXISTS "${folder}/${file}")
      set(${variable} "${folder}/${file}" PARENT_SCOPE)
      return()
    endif()
  endforeach()
endfunction()

if(SDX_GPU_RECORDINGS AND EXISTS "${SDX_LIBTORCH}/lib/libc10_cuda.so")
  # The one that it was linked with.
  file(STRINGS "${SDX_LIBTORCH}/lib/libc10_cuda.so" sdx_cudart REGEX "^libcudart[^@]*\\.so\\.[0-9]+")
  list(GET sdx_cudart 0 sdx_cudart)
  string(REGEX REPLACE ".*\\.so\\.([0-9]+).*" "\\1" sdx_cuda_major "${sdx_cudart}")

  # Each a list of folders that belong together. The system's own include folder is none of them: it
  # must come last for the compiler, not before its own.
  get_filename_component(sdx_wheels "${SDX_LIBTORCH}/../nvidia" ABSOLUTE)
  set(sdx_cuda_places "${sdx_wheels}/cu${sdx_cuda_major}/include"
                      "${sdx_wheels}/cuda_runtime/include|${sdx_wheels}/cuda_nvcc/include")
  foreach(toolkit IN ITEMS "$ENV{CUDA_HOME}" "$ENV{CUDA_PATH}" "/usr/local/cuda-${sdx_cuda_major}"
                           /usr/local/cuda /opt/cuda)
    if(toolkit)
      list(APPEND sdx_cuda_places "${toolkit}/include")
    endif()
  endforeach()
  if(SDX_CUDA_INCLUDE_DIR)
    set(sdx_cuda_places "${SDX_CUDA_INCLUDE_DIR}")
  endif()
  set(sdx_cuda_headers "")
  foreach(place IN LISTS sdx_cuda_places)
    string(REPLACE "|" ";" folders "${place}")
    sdx_cuda_headers_fault(sdx_cuda_fault "${sdx_cuda_major}" ${folders})
    if(NOT sdx_cuda_fault)
      set(sdx_cuda_headers ${folders})
      break()
    endif()
    list(GET folders 0 folder)
    if(EXISTS "${folder}/cuda.h")
      message(STATUS "CUDA's headers in ${folder} are not taken: ${sdx_cuda_fault}")
    endif()
  endforeach()
  if(SDX_CUDA_INCLUDE_DIR AND NOT sdx_cuda_headers)
    message(FATAL_ERROR "SDX_CUDA_INCLUDE_DIR names '${SDX_CUDA_INCLUDE_DIR}', which cannot be used: "
                        "${sdx_cuda_fault}.")
  endif()
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
                   "run scripts/setup.sh, or install the toolkit of CUDA ${sdx_cuda_major}, or name its include "
                   "folder with -DSDX_CUDA_INCLUDE_DIR=")
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
