# sdx::openssl: SHA-256.

find_package(OpenSSL 3.0 QUIET)
if(NOT TARGET OpenSSL::Crypto)
  sdx_missing("OpenSSL 3.0 or newer was not found")
endif()
sdx_system_target(sdx_openssl sdx::openssl OpenSSL::Crypto)
message(STATUS "OpenSSL ${OPENSSL_VERSION}")
