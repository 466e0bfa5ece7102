# sdx::jpeg: checked decoding and JPEG metadata. Debian's and Ubuntu's is libjpeg-turbo.

find_package(JPEG QUIET)
if(NOT TARGET JPEG::JPEG)
  sdx_missing("libjpeg was not found")
endif()
sdx_system_target(sdx_jpeg sdx::jpeg JPEG::JPEG)
message(STATUS "libjpeg ${JPEG_VERSION}")
