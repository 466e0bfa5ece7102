# ccache, if there: a file that did not change is not compiled again, not even in another clone.

find_program(SDX_CCACHE ccache)
mark_as_advanced(SDX_CCACHE)
if(SDX_USE_CCACHE AND SDX_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # The sloppiness is what ccache demands to cache anything that uses a precompiled header; the base
  # folder makes paths relative, so that clones share.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      "${CMAKE_COMMAND}" -E env
      "CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime"
      "CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}" "CCACHE_NOHASHDIR=1" "${SDX_CCACHE}")
endif()
