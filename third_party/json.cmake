# sdx::json: nlohmann's JSON.

find_package(nlohmann_json 3.10 CONFIG QUIET)
if(NOT TARGET nlohmann_json::nlohmann_json)
  sdx_missing("nlohmann_json 3.10 or newer was not found")
endif()
sdx_system_target(sdx_json sdx::json nlohmann_json::nlohmann_json)
message(STATUS "nlohmann_json ${nlohmann_json_VERSION}")
