# sdx::cli11: the command line.

find_package(CLI11 2.1 CONFIG QUIET)
if(NOT TARGET CLI11::CLI11)
  sdx_missing("CLI11 2.1 or newer was not found")
endif()
sdx_system_target(sdx_cli11 sdx::cli11 CLI11::CLI11)
message(STATUS "CLI11 ${CLI11_VERSION}")
