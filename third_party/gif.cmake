# sdx::gif: the first frame of a GIF.

find_path(SDX_GIF_INCLUDE_DIR gif_lib.h)
find_library(SDX_GIF_LIBRARY gif)
mark_as_advanced(SDX_GIF_INCLUDE_DIR SDX_GIF_LIBRARY)
if(NOT SDX_GIF_INCLUDE_DIR OR NOT SDX_GIF_LIBRARY)
  sdx_missing("giflib (gif_lib.h) was not found")
endif()
add_library(sdx_gif INTERFACE)
add_library(sdx::gif ALIAS sdx_gif)
target_include_directories(sdx_gif SYSTEM INTERFACE "${SDX_GIF_INCLUDE_DIR}")
target_link_libraries(sdx_gif INTERFACE "${SDX_GIF_LIBRARY}")
message(STATUS "giflib: ${SDX_GIF_LIBRARY}")
