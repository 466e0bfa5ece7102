#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "sdx/dataset/portraits.h"

namespace sdx {

/// Writes portraits.png into a run's folder: the portraits as the model sees them. Beside it goes
/// sheets.json: which portrait lies where in that sheet, and which prompts the sheets of previews
/// show.
void write_portrait_sheet(const std::vector<Portrait>& portraits,
                          const std::vector<std::string>& prompts,
                          const std::filesystem::path& folder);

}  // namespace sdx
