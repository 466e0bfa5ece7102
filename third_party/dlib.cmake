# sdx::dlib: the face network for photographs. Optional: without it only that is missing.
# SDX_WITH_DLIB is AUTO (if it is there), ON or OFF. One file of ours uses it
# (src/image/face_network.cpp); its templates take 1.2 GB and most of a minute to compile.

set(SDX_WITH_DLIB AUTO CACHE STRING "The face network of dlib: AUTO, ON or OFF")
set_property(CACHE SDX_WITH_DLIB PROPERTY STRINGS AUTO ON OFF)

add_library(sdx_dlib INTERFACE)
add_library(sdx::dlib ALIAS sdx_dlib)
set(sdx_has_dlib FALSE)
if(NOT SDX_WITH_DLIB STREQUAL "OFF")
  find_path(SDX_DLIB_INCLUDE_DIR dlib/dnn.h)
  # The shared library: the headers follow the configuration that it was built with. Its matrix code is
  # in our own object file and needs BLAS and LAPACK there.
  find_library(SDX_DLIB_LIBRARY dlib)
  find_library(SDX_BLAS_LIBRARY NAMES openblas blas)
  find_library(SDX_LAPACK_LIBRARY NAMES openblas lapack)
  mark_as_advanced(SDX_DLIB_INCLUDE_DIR SDX_DLIB_LIBRARY SDX_BLAS_LIBRARY SDX_LAPACK_LIBRARY)
  if(SDX_DLIB_INCLUDE_DIR AND SDX_DLIB_LIBRARY AND SDX_BLAS_LIBRARY AND SDX_LAPACK_LIBRARY)
    set(sdx_has_dlib TRUE)
  elseif(NOT SDX_WITH_DLIB STREQUAL "AUTO")
    message(FATAL_ERROR "SDX_WITH_DLIB is ${SDX_WITH_DLIB}, but dlib with BLAS and LAPACK was not found. "
                        "Install libdlib-dev and libopenblas-pthread-dev (SDX_DLIB=1 scripts/setup.sh), "
                        "or configure with -DSDX_WITH_DLIB=OFF.")
  endif()
endif()

if(sdx_has_dlib)
  target_include_directories(sdx_dlib SYSTEM INTERFACE "${SDX_DLIB_INCLUDE_DIR}")
  target_link_libraries(sdx_dlib INTERFACE "${SDX_DLIB_LIBRARY}" "${SDX_BLAS_LIBRARY}" "${SDX_LAPACK_LIBRARY}")
  set_source_files_properties("${PROJECT_SOURCE_DIR}/src/image/face_network.cpp"
                              PROPERTIES COMPILE_DEFINITIONS SDX_WITH_DLIB)
  message(STATUS "dlib: ${SDX_DLIB_LIBRARY}")
else()
  message(STATUS "dlib: none (no face network for photographs)")
endif()
