#pragma once

#include <filesystem>
#include <optional>
#include <vector>

namespace sdx {

/// The folder of this user's own models: `$XDG_DATA_HOME/sdx/models`, else
/// `~/.local/share/sdx/models`. The folder need not exist. As the XDG base directory specification
/// says, a relative `$XDG_DATA_HOME` does not count.
/// @return nothing where the environment names neither folder
std::optional<std::filesystem::path> find_own_models_folder();

/// The folder `$SDX_MODELS`, which may belong to all users of a machine and be read-only.
/// @return nothing where the variable is not set, or empty
std::optional<std::filesystem::path> find_shared_models_folder();

/// Folders that hold models by name, in the order in which they are searched: the shared one, the
/// user's own, and `data_folder()/models`, where an administrator may put models for all users too.
std::vector<std::filesystem::path> list_model_folders();

}  // namespace sdx
