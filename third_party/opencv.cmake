# sdx::opencv: only the modules that sdx uses. The small packages carry no CMake configuration (that
# comes with the far larger libopencv-dev), so they are looked up by name.

set(sdx_opencv_modules core imgproc imgcodecs objdetect dnn photo)
find_path(SDX_OPENCV_INCLUDE_DIR opencv2/core/version.hpp PATH_SUFFIXES opencv4)
mark_as_advanced(SDX_OPENCV_INCLUDE_DIR)
if(NOT SDX_OPENCV_INCLUDE_DIR)
  sdx_missing("OpenCV's headers (opencv2/core/version.hpp) were not found")
endif()
foreach(part IN ITEMS MAJOR MINOR REVISION)
  sdx_read_version(sdx_opencv_${part} "${SDX_OPENCV_INCLUDE_DIR}/opencv2/core/version.hpp"
                   "define CV_VERSION_${part} +([0-9]+)")
endforeach()
set(SDX_FOUND_OPENCV_VERSION "${sdx_opencv_MAJOR}.${sdx_opencv_MINOR}.${sdx_opencv_REVISION}")
if(SDX_FOUND_OPENCV_VERSION VERSION_LESS 4.5.4 OR SDX_FOUND_OPENCV_VERSION VERSION_GREATER_EQUAL 5)
  sdx_missing("OpenCV is version ${SDX_FOUND_OPENCV_VERSION}, but sdx needs 4.5.4 up to 4.x")
endif()

add_library(sdx_opencv INTERFACE)
add_library(sdx::opencv ALIAS sdx_opencv)
target_include_directories(sdx_opencv SYSTEM INTERFACE "${SDX_OPENCV_INCLUDE_DIR}")
foreach(module IN LISTS sdx_opencv_modules)
  find_library(SDX_OPENCV_${module}_LIBRARY opencv_${module})
  mark_as_advanced(SDX_OPENCV_${module}_LIBRARY)
  if(NOT SDX_OPENCV_${module}_LIBRARY
     OR NOT EXISTS "${SDX_OPENCV_INCLUDE_DIR}/opencv2/${module}.hpp")
    sdx_missing("OpenCV's module '${module}' was not found")
  endif()
  target_link_libraries(sdx_opencv INTERFACE "${SDX_OPENCV_${module}_LIBRARY}")
endforeach()

# The trained cascades for face finding: data, copied into share/sdx so that programs find them.
find_path(SDX_HAAR_DIR haarcascade_frontalface_default.xml
          PATH_SUFFIXES share/opencv4/haarcascades share/opencv/haarcascades)
mark_as_advanced(SDX_HAAR_DIR)
if(NOT SDX_HAAR_DIR)
  sdx_missing("OpenCV's face cascades (haarcascade_frontalface_default.xml) were not found")
endif()
message(STATUS "OpenCV ${SDX_FOUND_OPENCV_VERSION}: ${SDX_OPENCV_INCLUDE_DIR}")
