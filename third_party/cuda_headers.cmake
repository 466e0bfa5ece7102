# Which headers of CUDA fit a libtorch: those of its own major version. With others its classes would
# have other members than the library, and memory would be overwritten.

include("${CMAKE_CURRENT_LIST_DIR}/helpers.cmake")

# Where toolkits are installed, beside $CUDA_HOME and $CUDA_PATH.
set(SDX_CUDA_TOOLKITS /usr/local/cuda /opt/cuda)

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

# sdx_cuda_major(VARIABLE LIBTORCH): the major version of the CUDA that libtorch was linked with.
function(sdx_cuda_major variable libtorch)
  file(STRINGS "${libtorch}/lib/libc10_cuda.so" found REGEX "^libcudart[^@]*\\.so\\.[0-9]+")
  list(GET found 0 found)
  string(REGEX REPLACE ".*\\.so\\.([0-9]+).*" "\\1" found "${found}")
  set(${variable} "${found}" PARENT_SCOPE)
endfunction()

# sdx_find_cuda_headers(VARIABLE LIBTORCH CHOSEN): the include folders of the CUDA of a libtorch for
# GPUs: beside it, as wheels bring them, else those of a toolkit; empty if there are none.
# CHOSEN: the folder to take instead, if not empty; one that does not fit is an error.
function(sdx_find_cuda_headers variable libtorch chosen)
  set(${variable} "" PARENT_SCOPE)
  sdx_cuda_major(major "${libtorch}")
  # Each a list of folders that belong together. The system's own include folder is none of them: the
  # compiler must look there last, not before its own.
  get_filename_component(wheels "${libtorch}/../nvidia" ABSOLUTE)
  set(places "${wheels}/cu${major}/include"
             "${wheels}/cuda_runtime/include|${wheels}/cuda_nvcc/include")
  foreach(toolkit IN ITEMS "$ENV{CUDA_HOME}" "$ENV{CUDA_PATH}" LISTS SDX_CUDA_TOOLKITS)
    if(toolkit AND NOT toolkit STREQUAL "/usr")
      list(APPEND places "${toolkit}/include")
    endif()
  endforeach()
  if(chosen)
    set(places "${chosen}")
  endif()
  foreach(place IN LISTS places)
    string(REPLACE "|" ";" folders "${place}")
    sdx_cuda_headers_fault(fault "${major}" ${folders})
    if(NOT fault)
      set(${variable} "${folders}" PARENT_SCOPE)
      return()
    endif()
    list(GET folders 0 folder)
    if(chosen)
      message(FATAL_ERROR "SDX_CUDA_INCLUDE_DIR names '${chosen}', which cannot be used: ${fault}.")
    elseif(EXISTS "${folder}/cuda.h")
      message(STATUS "CUDA's headers in ${folder} are not taken: ${fault}")
    endif()
  endforeach()
endfunction()
