#include "cli/output_folder.h"

#include <unistd.h>

#include <system_error>

namespace sdx {

namespace fs = std::filesystem;

bool may_write_into(const fs::path& folder) {
  std::error_code failure;
  fs::path place = fs::absolute(folder, failure);
  while (!failure && !fs::exists(place, failure) && place != place.root_path()) {
    place = place.parent_path();
  }
  return !failure && fs::is_directory(place, failure) && ::access(place.c_str(), W_OK | X_OK) == 0;
}

}  // namespace sdx
