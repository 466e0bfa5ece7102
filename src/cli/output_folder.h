#pragma once

#include <filesystem>

namespace sdx {

/// Whether this user may make files in a folder, or make the folder where it is not there yet, as
/// far as can be told without trying.
bool may_write_into(const std::filesystem::path& folder);

}  // namespace sdx
