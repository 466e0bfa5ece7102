#include "sdx/cli/tool.h"

int main(int argc, char** argv) {
  return sdx::run_tool("sdx-train", argc, argv, sdx::train_command);
}
