#include "sdx/cli/bench_command.h"
#include "sdx/cli/tool.h"

int main(int argc, char** argv) {
  return sdx::run_tool("sdx-bench", argc, argv, sdx::bench_command);
}
