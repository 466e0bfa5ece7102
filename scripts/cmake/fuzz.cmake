# What the fuzz targets (tests/fuzz) need of everything that is compiled for them.

if(SDX_BUILD_FUZZERS)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "The fuzz targets need clang and its libFuzzer: cmake --preset fuzz")
  endif()
  # libtorch's and OpenCV's types bring no type information that these two checks could compare.
  add_compile_options(-fno-sanitize=vptr,function)
  if(CMAKE_CXX_COMPILER_VERSION VERSION_LESS 17)
    # Not for the precompiled headers, which do not see ours and would use it up.
    set(is_ours "$<NOT:$<STREQUAL:$<TARGET_PROPERTY:NAME>,sdx-common>>")
    set(included "${PROJECT_SOURCE_DIR}/tests/fuzz/clang_before_17.h")
    add_compile_options("SHELL:$<${is_ours}:-include ${included}>")
  endif()
endif()
