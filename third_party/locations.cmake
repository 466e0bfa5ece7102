# Where scripts/setup.sh put libtorch and sentencepiece, in this order: a variable given to CMake,
# the environment, what setup.sh noted for this checkout, the per-user cache (lib.sh has the same
# rule). Sets SDX_LIBTORCH and SDX_SENTENCEPIECE.

if(DEFINED ENV{SDX_CACHE} AND NOT "$ENV{SDX_CACHE}" STREQUAL "")
  set(sdx_cache "$ENV{SDX_CACHE}")
elseif(DEFINED ENV{XDG_CACHE_HOME} AND NOT "$ENV{XDG_CACHE_HOME}" STREQUAL "")
  set(sdx_cache "$ENV{XDG_CACHE_HOME}/sdx")
else()
  set(sdx_cache "$ENV{HOME}/.cache/sdx")
endif()

include("${PROJECT_SOURCE_DIR}/build/locations.cmake" OPTIONAL)

function(sdx_locate variable noted cached)
  if(${variable})
    return()
  endif()
  if(DEFINED ENV{${variable}} AND NOT "$ENV{${variable}}" STREQUAL "")
    set(found "$ENV{${variable}}")
  elseif(noted AND EXISTS "${noted}")
    set(found "${noted}")
  else()
    set(found "${cached}")
  endif()
  # Not a cache entry: a folder that moves is found again by the next configure.
  set(${variable} "${found}" PARENT_SCOPE)
endfunction()

sdx_locate(SDX_LIBTORCH "${SDX_LIBTORCH_FOUND}"
           "${sdx_cache}/libtorch-${SDX_TORCH_VERSION}-${CMAKE_HOST_SYSTEM_PROCESSOR}/torch")
sdx_locate(
  SDX_SENTENCEPIECE "${SDX_SENTENCEPIECE_FOUND}"
  "${sdx_cache}/sentencepiece-${SDX_SENTENCEPIECE_VERSION}-${CMAKE_HOST_SYSTEM_PROCESSOR}")
