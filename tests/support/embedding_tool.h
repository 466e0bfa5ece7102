#pragma once

#include <string>
#include <utility>
#include <vector>

#include "support/refused.h"
#include "support/temp_folder.h"

namespace sdx::test {

/// `sdx-model embedding …`, run in a folder.
inline RunResult embedding(const TempFolder& folder, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "embedding");
  Run command;
  command.tool = "sdx-model";
  command.arguments = std::move(arguments);
  command.folder = folder.path();
  return run(command);
}

}  // namespace sdx::test
