#pragma once

#include <filesystem>

#include "sdx/model/bundle.h"

namespace sdx::test {

/// The built-in model, as the build made it.
inline Bundle mini_bundle() {
  return Bundle::open(std::filesystem::path(SDX_SHARE_DIR) / "models" / "mini");
}

/// A folder for each of its example people, six pictures 01.png … 06.png in each.
inline std::filesystem::path demo_folder() {
  return std::filesystem::path(SDX_SOURCE_DIR) / "configs" / "demo" / "portraits";
}

}  // namespace sdx::test
