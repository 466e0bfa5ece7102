#include "sdx/cli/tool.h"

int main(int argc, char** argv) {
  return sdx::run_tool("sdx-generate", argc, argv, sdx::generate_command);
}
