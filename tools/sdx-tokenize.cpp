#include "sdx/cli/tool.h"

int main(int argc, char** argv) {
  return sdx::run_tool("sdx-tokenize", argc, argv, sdx::tokenize_command);
}
