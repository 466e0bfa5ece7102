# The Debian package, which CPack makes (scripts/release.sh): programs and data in /usr, libtorch and
# the programs' library in /usr/lib/sdx, everything else from the distribution. Its dependencies are
# read from the libraries that it was linked with, so it is for the distribution that it was built on.

# What the scripts of a release need to know of this build: paths, read by CMake and by bash.
file(
  CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/generated/found.cmake"
  CONTENT
    "set(SDX_SOURCE \"@PROJECT_SOURCE_DIR@\")
set(SDX_LIBTORCH \"@SDX_LIBTORCH@\")
set(SDX_SENTENCEPIECE \"@SDX_SENTENCEPIECE@\")
set(SDX_GENERATED \"@PROJECT_BINARY_DIR@/generated\")
"
  @ONLY)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME sdx)
set(CPACK_PACKAGE_CONTACT "sdx developers <sdx@localhost>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_INSTALL_CMAKE_PROJECTS "${PROJECT_BINARY_DIR};sdx;runtime;/")
set(CPACK_STRIP_FILES ON)
# The version, when it is packed; not when CMake configured.
set(CPACK_PROJECT_CONFIG_FILE "${PROJECT_SOURCE_DIR}/scripts/cmake/deb_version.cmake")
set(CPACK_PRE_BUILD_SCRIPTS "${PROJECT_SOURCE_DIR}/scripts/cmake/deb_files.cmake")
set(CPACK_SDX_FOUND "${PROJECT_BINARY_DIR}/generated/found.cmake")
set(CPACK_THREADS 0)

set(CPACK_DEBIAN_PACKAGE_SECTION graphics)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "avatars of yourself and your team by textual inversion")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
    "Command-line programs that teach a frozen Stable Diffusion one new word per
person, from a folder of portraits, and draw that person in any prompt. A small
model and example people are included, so that everything can be tried.

libtorch is included, in a folder of its own.")
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# Where dpkg-shlibdeps finds libtorch's libraries while the package is made.
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS "${SDX_LIBTORCH}/lib")
# Loaded when such pictures are read; HEIC, AVIF and TIFF (third_party/loaded.cmake).
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "libheif1, libtiff6")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)
