# sdx::utf8proc: Unicode's tables for CLIP's tokenizer (NFC, letters, digits, lower case). Its version
# is that of the tables: 2.8 has Unicode 15.0, 2.9 has 15.1.

find_path(SDX_UTF8PROC_INCLUDE_DIR utf8proc.h)
find_library(SDX_UTF8PROC_LIBRARY utf8proc)
mark_as_advanced(SDX_UTF8PROC_INCLUDE_DIR SDX_UTF8PROC_LIBRARY)
if(NOT SDX_UTF8PROC_INCLUDE_DIR OR NOT SDX_UTF8PROC_LIBRARY)
  sdx_missing("utf8proc was not found")
endif()
add_library(sdx_utf8proc INTERFACE)
add_library(sdx::utf8proc ALIAS sdx_utf8proc)
target_include_directories(sdx_utf8proc SYSTEM INTERFACE "${SDX_UTF8PROC_INCLUDE_DIR}")
target_link_libraries(sdx_utf8proc INTERFACE "${SDX_UTF8PROC_LIBRARY}")
message(STATUS "utf8proc: ${SDX_UTF8PROC_LIBRARY}")
