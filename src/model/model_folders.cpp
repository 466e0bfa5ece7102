#include "sdx/model/model_folders.h"

#include <cstdlib>

#include "sdx/util/data_folder.h"

namespace sdx {

namespace fs = std::filesystem;

std::optional<fs::path> find_own_models_folder() {
  const char* const data = std::getenv("XDG_DATA_HOME");
  if (data != nullptr && fs::path(data).is_absolute()) return fs::path(data) / "sdx/models";
  const char* const home = std::getenv("HOME");
  if (home != nullptr && *home != '\0') return fs::path(home) / ".local/share/sdx/models";
  return std::nullopt;
}

std::optional<fs::path> find_shared_models_folder() {
  const char* const folder = std::getenv("SDX_MODELS");
  if (folder == nullptr || *folder == '\0') return std::nullopt;
  return folder;
}

std::vector<fs::path> list_model_folders() {
  std::vector<fs::path> folders;
  if (const auto shared = find_shared_models_folder()) folders.push_back(*shared);
  if (const auto own = find_own_models_folder()) folders.push_back(*own);
  folders.push_back(data_folder() / "models");
  return folders;
}

}  // namespace sdx
