#include "sdx/util/data_folder.h"

#include <cstdlib>
#include <system_error>

#include "sdx/util/error.h"

namespace sdx {

std::filesystem::path data_folder() {
  const char* const folder = std::getenv("SDX_DATA");
  if (folder != nullptr && *folder != '\0') return folder;
  std::error_code failure;
  const std::filesystem::path binary = std::filesystem::read_symlink("/proc/self/exe", failure);
  if (failure) {
    throw UnavailableError("cannot tell where the running program lies (/proc/self/exe: " +
                           failure.message() + "); set SDX_DATA to the folder share/sdx");
  }
  return binary.parent_path().parent_path() / "share" / "sdx";
}

}  // namespace sdx
