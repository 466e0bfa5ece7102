# Read by CPack before it packs: the version of the package, and its file's name, which says for which
# distribution it is.

include("${CPACK_SDX_FOUND}")
file(READ "${SDX_GENERATED}/sdx/release.txt" release)
string(STRIP "${release}" release)
# "~" sorts before everything: 0.1.0~dev.5+abc is older than 0.1.0.
string(REPLACE "-dev" "~dev" CPACK_DEBIAN_PACKAGE_VERSION "${release}")
set(CPACK_PACKAGE_VERSION "${release}")

set(distribution unknown)
if(EXISTS /etc/os-release)
  set(distribution "")
  foreach(key IN ITEMS ID VERSION_ID)
    file(STRINGS /etc/os-release line REGEX "^${key}=")
    string(REGEX REPLACE "^${key}=|\"" "" line "${line}")
    string(APPEND distribution "${line}")
  endforeach()
endif()
execute_process(COMMAND dpkg --print-architecture OUTPUT_VARIABLE architecture
                OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
set(CPACK_DEBIAN_FILE_NAME
    "sdx_${CPACK_DEBIAN_PACKAGE_VERSION}_${distribution}_${architecture}.deb")
