#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace sdx {

/// Whether a text that names prompts must be a path. It then has a '/' in it or ends in ".txt".
/// Otherwise it may be the name of a pack, too.
bool is_prompt_path(std::string_view text);

/// The file of prompts that `--prompts` or a roster means: a file that exists, else the toolkit's
/// own pack of this name (prompts/<name>.txt in its data folder): "statcrew", "fantasy", …
/// @throws UsageError for a name that is neither, with the packs that there are;
///         MissingInputError for a path (is_prompt_path) where no file is; PermissionError, IoError
///         where that cannot be seen.
std::filesystem::path find_prompts(const std::string& file_or_pack);

}  // namespace sdx
