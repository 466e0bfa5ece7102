# Precompiled libtorch headers, made once for the library and used by its tests as well.
#
# Measured (CPU seconds, GCC 12): ATen/ATen.h costs 20 once, then a file with narrow ATen includes
# takes 2 instead of 6 and one with the TorchScript headers 7 instead of 12. torch/script.h costs 39
# once and the narrow files still 4.5. A file without libtorch would lose 1 by it, and would see
# libtorch's names (it has a global namespace "detail") that it never asked for: so only files get it
# that include ATen or torch headers, by themselves or through headers of ours.
#
# Tests have precompiled headers of their own, since GCC wants the same optimisation in both: those of
# programs took 3.7 to 10.2 seconds a file with -O2, and take 2.3 to 6.2 with -O0.

set(sdx_torch_include "^#include [<\"](ATen|torch)/")

# Our headers that bring ATen or torch with them, as they are written in #include.
function(sdx_find_torch_headers)
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/include/*.h"
       "${PROJECT_SOURCE_DIR}/src/*.h" "${PROJECT_SOURCE_DIR}/tests/*.h")
  set(found "")
  set(added TRUE)
  while(added)
    set(added FALSE)
    list(JOIN found "|" others)
    foreach(header IN LISTS headers)
      string(REGEX REPLACE "^${PROJECT_SOURCE_DIR}/(include|src|tests)/" "" name "${header}")
      if(NOT name IN_LIST found)
        file(STRINGS "${header}" lines REGEX "${sdx_torch_include}|^#include \"(${others})\"")
        if(lines)
          list(APPEND found "${name}")
          set(added TRUE)
        endif()
      endif()
    endforeach()
  endwhile()
  set(sdx_torch_headers "${found}" PARENT_SCOPE)
endfunction()

# sdx_precompile(TARGET [REUSE_FROM OTHER])
function(sdx_precompile target)
  cmake_parse_arguments(arg "" "REUSE_FROM" "" ${ARGN})
  if(NOT SDX_USE_PCH)
    return()
  endif()
  if(arg_REUSE_FROM)
    target_precompile_headers(${target} REUSE_FROM ${arg_REUSE_FROM})
  else()
    target_precompile_headers(${target} PRIVATE <ATen/ATen.h>)
  endif()
  sdx_find_torch_headers()
  list(JOIN sdx_torch_headers "|" names)
  get_target_property(sources ${target} SOURCES)
  foreach(source IN LISTS sources)
    file(STRINGS "${source}" lines REGEX "${sdx_torch_include}|^#include \"(${names})\"")
    if(NOT lines)
      set_source_files_properties("${source}" PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
    endif()
  endforeach()
endfunction()
