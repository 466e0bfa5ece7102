#include "model/import/staging_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <set>
#include <system_error>

#include "sdx/util/error.h"
#include "sdx/util/json.h"
#include "sdx/util/remove.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

constexpr const char* kManifest = "bundle.json";

[[noreturn]] void fail_to_create(const fs::path& path, const std::error_code& reason) {
  const std::string message = "cannot create " + path.string() + ": " + reason.message();
  if (reason == std::errc::permission_denied || reason == std::errc::operation_not_permitted ||
      reason == std::errc::read_only_file_system) {
    throw PermissionError(message);
  }
  throw CannotCreateError(message);
}

[[noreturn]] void fail_to_create(const fs::path& path, int number) {
  fail_to_create(path, std::error_code(number, std::generic_category()));
}

/// The folder that `path` lies in, as something that can be opened.
fs::path find_parent(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

/// What stays is removed by the next import of this name.
void remove_quietly(const fs::path& folder) {
  try {
    remove_inside(find_parent(folder), folder.filename());
  } catch (const std::exception&) {
  }
}

/// Whether the descriptor is of what is at `path` now: another process may have renamed it.
bool is_still_at(int descriptor, const fs::path& path) {
  struct stat opened = {};
  struct stat found = {};
  return ::fstat(descriptor, &opened) == 0 && ::lstat(path.c_str(), &found) == 0 &&
         opened.st_dev == found.st_dev && opened.st_ino == found.st_ino;
}

}  // namespace

StagingFolder::StagingFolder(const fs::path& destination)
    : destination_(destination),
      path_(destination.parent_path() / ("." + destination.filename().string() + ".partial")) {
  std::error_code failure;
  fs::create_directories(find_parent(path_), failure);
  if (failure) fail_to_create(find_parent(path_), failure);
  open_locked();
  try {
    empty();
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

void StagingFolder::open_locked() {
  do {
    if (descriptor_ >= 0) ::close(descriptor_);
    if (::mkdir(path_.c_str(), 0777) != 0 && errno != EEXIST) fail_to_create(path_, errno);
    descriptor_ = ::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (descriptor_ < 0) {
      if (errno == ENOENT) continue;  // whoever made it has just ended
      fail_to_create(path_, errno);
    }
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
      ::close(descriptor_);
      throw TryAgainError(destination_.string() +
                          ": another process makes this model; wait until it has ended");
    }
  } while (descriptor_ < 0 || !is_still_at(descriptor_, path_));
  struct stat status = {};
  ::fstat(descriptor_, &status);
  mode_ = status.st_mode & 0777;
}

StagingFolder::~StagingFolder() {
  if (!is_committed_) remove_quietly(path_);
  ::close(descriptor_);
}

void StagingFolder::empty() const {
  std::set<fs::path> entries;
  for (const auto& entry : fs::directory_iterator(path_)) entries.insert(entry.path().filename());
  for (const fs::path& entry : entries) remove_inside(path_, entry);
}

void StagingFolder::commit(bool replaces) {
  for (const auto& entry : fs::recursive_directory_iterator(path_)) {
    const mode_t mode = entry.is_directory() ? mode_ : mode_ & 0666;
    fs::permissions(entry.path(), static_cast<fs::perms>(mode));
  }
  if (replaces && is_taken(destination_)) return replace_older();
  // Never over a folder that somebody has made meanwhile, not even an empty one.
  if (::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, destination_.c_str(), RENAME_NOREPLACE) != 0) {
    const bool is_unknown = errno == EINVAL || errno == ENOSYS;
    if (!is_unknown || ::rename(path_.c_str(), destination_.c_str()) != 0) {
      fail_to_create(destination_, errno);
    }
  }
  is_committed_ = true;
}

void StagingFolder::replace_older() {
  require_replaceable(destination_);  // again: an hour may have passed
  // The older folder is about to be called as the lock, and must not be taken for a free one.
  const int older = ::open(destination_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (older < 0) fail_to_create(destination_, errno);
  ::flock(older, LOCK_EX | LOCK_NB);
  int failure = 0;
  if (::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, destination_.c_str(), RENAME_EXCHANGE) != 0) {
    failure = errno;
  }
  if (failure == EINVAL || failure == ENOSYS) {  // a file system without that rename
    const fs::path aside = path_.string() + ".older";
    remove_quietly(aside);
    failure = ::rename(destination_.c_str(), aside.c_str()) != 0 ? errno : 0;
    if (failure == 0 && ::rename(path_.c_str(), destination_.c_str()) != 0) {
      failure = errno;
      ::rename(aside.c_str(), destination_.c_str());
    }
    if (failure == 0) remove_quietly(aside);
  } else if (failure == 0) {
    remove_quietly(path_);
  }
  ::close(older);
  if (failure != 0) fail_to_create(destination_, failure);
  is_committed_ = true;
}

bool is_taken(const fs::path& path) {
  std::error_code failure;
  const fs::file_status status = fs::symlink_status(path, failure);
  return status.type() != fs::file_type::not_found;
}

void require_replaceable(const fs::path& folder) {
  const auto refuse = [&folder](const std::string& reason) {
    throw CannotCreateError(folder.string() + ": " + reason +
                            ", so it is not replaced; remove it yourself, or choose another "
                            "`name`");
  };
  if (fs::is_symlink(folder)) refuse("is a symbolic link");
  if (!fs::is_directory(folder)) refuse("is no folder");
  if (fs::is_empty(folder)) return;  // build tools make the folder of what they will make
  if (!fs::is_regular_file(folder / kManifest)) refuse("is no model: it has no bundle.json");
  Json manifest;
  try {
    manifest = read_json_file(folder / kManifest);
  } catch (const DataError&) {
    refuse("is no model that can be told from other folders: its bundle.json is no JSON");
  }
  const bool is_manifest = manifest.is_object() && manifest.contains("format") &&
                           manifest.contains("sha256") && manifest["sha256"].is_object();
  if (!is_manifest) refuse("is no model: its bundle.json lists no files");
  for (const fs::path& file : list_inside(find_parent(folder), folder.filename())) {
    const std::string inside = file.lexically_relative(folder.filename()).string();
    if (inside != kManifest && !manifest["sha256"].contains(inside)) {
      refuse("holds " + inside + ", which is no part of a model");
    }
  }
}

}  // namespace sdx
