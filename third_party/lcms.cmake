# sdx::lcms: colour profiles of pictures.

find_path(SDX_LCMS_INCLUDE_DIR lcms2.h)
find_library(SDX_LCMS_LIBRARY lcms2)
mark_as_advanced(SDX_LCMS_INCLUDE_DIR SDX_LCMS_LIBRARY)
if(NOT SDX_LCMS_INCLUDE_DIR OR NOT SDX_LCMS_LIBRARY)
  sdx_missing("Little CMS 2 (lcms2.h) was not found")
endif()
add_library(sdx_lcms INTERFACE)
add_library(sdx::lcms ALIAS sdx_lcms)
target_include_directories(sdx_lcms SYSTEM INTERFACE "${SDX_LCMS_INCLUDE_DIR}")
target_link_libraries(sdx_lcms INTERFACE "${SDX_LCMS_LIBRARY}")
message(STATUS "Little CMS: ${SDX_LCMS_LIBRARY}")
