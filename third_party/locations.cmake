# Where scripts/setup.sh put libtorch and sentencepiece, in this order: a variable given to CMake,
# the environment, what setup.sh noted for this checkout, the per-user cache (lib.sh has the same
# rule). Sets SDX_LIBTORCH, SDX_SENTENCEPIECE and the versions of versions.env.

file(STRINGS "${CMAKE_CURRENT_LIST_DIR}/versions.env" sdx_version_lines REGEX "^SDX_[A-Z0-9_]+=")
foreach(line IN LISTS sdx_version_lines)
  string(REGEX MATCH "^([A-Z0-9_]+)=(.*)$" _ "${line}")
  set(${CMAKE_MATCH_1} "${CMAKE_MATCH_2}")
endforeach()
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
                                       "${CMAKE_CURRENT_LIST_DIR}/versions.env")

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

# One way to say that something is missing: what, where it was looked for, what to do.
function(sdx_missing what)
  message(FATAL_ERROR "${what}. Run scripts/setup.sh, which installs what the build needs.")
endfunction()

# The first match of a regular expression's group 1 in a file, for version numbers in headers.
function(sdx_read_version variable file regex)
  set(${variable} "" PARENT_SCOPE)
  if(EXISTS "${file}")
    file(STRINGS "${file}" lines REGEX "${regex}")
    if(lines MATCHES "${regex}")
      set(${variable} "${CMAKE_MATCH_1}" PARENT_SCOPE)
    endif()
  endif()
endfunction()

# An interface target under sdx's own name for found ones. Headers of imported targets are system
# headers: our warnings do not apply to them.
function(sdx_system_target name alias)
  add_library(${name} INTERFACE)
  add_library(${alias} ALIAS ${name})
  target_link_libraries(${name} INTERFACE ${ARGN})
endfunction()
