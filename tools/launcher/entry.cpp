// What libsdx-tools.so gives to the programs: every tool, by its name.

#include <string_view>

#include "sdx/cli/tool.h"

extern "C" [[gnu::visibility("default")]] int sdx_run_tool(const char* name, int argc,
                                                           char** argv) {
  for (const sdx::Command& tool : sdx::tools()) {
    if (std::string_view(name) == tool.name) {
      return sdx::run_tool(tool.name, [&] { sdx::run_command(tool, {argv + 1, argv + argc}); });
    }
  }
  return sdx::run_tool(name, [] {
    throw sdx::InternalError("the library does not know this program; install the toolkit again");
  });
}
