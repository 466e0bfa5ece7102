#include "sdx/cli/tool.h"

int main(int argc, char** argv) {
  return sdx::run_tool("sdx-roster", argc, argv, sdx::roster_command);
}
