# sdx_warnings: what our own code is compiled with. Third-party headers are system headers.

add_library(sdx_warnings INTERFACE)
target_compile_options(
  sdx_warnings
  INTERFACE -Wall
            -Wextra
            -Wpedantic
            -Wshadow
            -Wnon-virtual-dtor
            -Woverloaded-virtual
            -Wunused
            -Wcast-align
            -Wdouble-promotion
            -Wformat=2
            -Wimplicit-fallthrough
            $<$<CXX_COMPILER_ID:GNU>:-Wduplicated-cond;-Wlogical-op>)
if(SDX_WARNINGS_AS_ERRORS)
  target_compile_options(sdx_warnings INTERFACE -Werror)
  # These depend on what the optimizer sees and have false alarms, other ones in each GCC: shown, but
  # no reason to stop.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    foreach(warning IN ITEMS maybe-uninitialized array-bounds stringop-overflow stringop-overread
                             restrict free-nonheap-object null-dereference dangling-pointer)
      target_compile_options(sdx_warnings INTERFACE -Wno-error=${warning})
    endforeach()
  endif()
endif()

if(SDX_SANITIZE)
  add_compile_options(-fsanitize=${SDX_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
  add_link_options(-fsanitize=${SDX_SANITIZE})
endif()
