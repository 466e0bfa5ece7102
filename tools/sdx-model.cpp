#include "sdx/cli/tool.h"

int main(int argc, char** argv) {
  return sdx::run_tool("sdx-model", argc, argv, sdx::model_command);
}
