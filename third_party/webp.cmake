# sdx::webp: WebP metadata (the mux library).

find_path(SDX_WEBP_INCLUDE_DIR webp/mux.h)
find_library(SDX_WEBP_LIBRARY webp)
find_library(SDX_WEBPMUX_LIBRARY webpmux)
mark_as_advanced(SDX_WEBP_INCLUDE_DIR SDX_WEBP_LIBRARY SDX_WEBPMUX_LIBRARY)
if(NOT SDX_WEBP_INCLUDE_DIR OR NOT SDX_WEBP_LIBRARY OR NOT SDX_WEBPMUX_LIBRARY)
  sdx_missing("libwebp with its mux library was not found")
endif()
add_library(sdx_webp INTERFACE)
add_library(sdx::webp ALIAS sdx_webp)
target_include_directories(sdx_webp SYSTEM INTERFACE "${SDX_WEBP_INCLUDE_DIR}")
target_link_libraries(sdx_webp INTERFACE "${SDX_WEBPMUX_LIBRARY}" "${SDX_WEBP_LIBRARY}")
message(STATUS "libwebp: ${SDX_WEBPMUX_LIBRARY}")
