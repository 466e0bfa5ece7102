#pragma once

#include <filesystem>

namespace sdx {

/// Where the toolkit's own files are (models/, templates/, prompts/): `$SDX_DATA`, else
/// `../share/sdx` as seen from the running binary, which holds in the build tree and when
/// installed.
std::filesystem::path data_folder();

}  // namespace sdx
