#pragma once

#include <string>

#include "sdx/util/settings_table.h"

namespace sdx {

/// The model that computes, its device, and its floating-point type.
struct ModelOptions {
  std::string model = "mini";   ///< name or folder of a bundle, see Bundle::find()
  std::string device = "auto";  ///< see choose_target()
  std::string dtype = "auto";   ///< see choose_target()
  int threads = 0;              ///< of the processor; 0: one for each core
};

const SettingsTable<ModelOptions>& model_settings();

}  // namespace sdx
