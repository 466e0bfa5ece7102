#pragma once

#include <functional>

#include "sdx/cli/tool.h"

namespace sdx {

/// `sdx-model import`: adds its options to `line`.
/// @return what imports the checkpoint, once they are read
std::function<void()> define_import(CommandLine& line);

}  // namespace sdx
