#pragma once

#include <filesystem>
#include <string>

namespace sdx {

/// Holds a file's lock (flock) as long as it lives, so that two processes never work on one thing.
/// The lock of a process that died is free at once.
class FileLock {
 public:
  /// @throws TryAgainError (75) naming the process that holds it; CannotCreateError,
  ///         PermissionError.
  /// @param what named in the message: "runs/Ada"
  FileLock(const std::filesystem::path& file, const std::string& what);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  int descriptor_ = -1;
};

}  // namespace sdx
