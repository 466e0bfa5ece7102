# sdx::png: PNG with the prompt inside (OpenCV cannot write text chunks).

find_package(PNG 1.6 QUIET)
if(NOT TARGET PNG::PNG)
  sdx_missing("libpng 1.6 or newer was not found")
endif()
sdx_system_target(sdx_png sdx::png PNG::PNG)
message(STATUS "libpng ${PNG_VERSION_STRING}")
