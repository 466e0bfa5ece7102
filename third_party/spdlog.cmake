# sdx::spdlog: logging, with the system's fmt (torch.cmake keeps libtorch's own fmt out of its way).

find_package(spdlog 1.10 CONFIG QUIET)
if(NOT TARGET spdlog::spdlog)
  sdx_missing("spdlog 1.10 or newer was not found")
endif()
sdx_system_target(sdx_spdlog sdx::spdlog spdlog::spdlog)
message(STATUS "spdlog ${spdlog_VERSION}")
