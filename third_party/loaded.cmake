# sdx::loaded: headers of the libraries that are loaded when they are needed (src/image/system_library.h),
# and linked by nothing: libheif for HEIC and AVIF, libtiff for TIFF.

find_path(SDX_HEIF_INCLUDE_DIR libheif/heif.h)
find_path(SDX_TIFF_INCLUDE_DIR tiffio.h)
mark_as_advanced(SDX_HEIF_INCLUDE_DIR SDX_TIFF_INCLUDE_DIR)
if(NOT SDX_HEIF_INCLUDE_DIR OR NOT SDX_TIFF_INCLUDE_DIR)
  sdx_missing("the headers of libheif (libheif/heif.h) and libtiff (tiffio.h) were not found")
endif()
add_library(sdx_loaded INTERFACE)
add_library(sdx::loaded ALIAS sdx_loaded)
target_include_directories(sdx_loaded SYSTEM INTERFACE "${SDX_HEIF_INCLUDE_DIR}" "${SDX_TIFF_INCLUDE_DIR}")
target_link_libraries(sdx_loaded INTERFACE ${CMAKE_DL_LIBS})
