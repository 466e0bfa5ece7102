#pragma once

#include <sys/types.h>

#include <filesystem>

namespace sdx {

/// A bundle's folder while it is being made, `.<name>.partial` beside its destination: removed
/// unless committed.
///
/// The folder is also the lock: whoever makes a bundle of this name holds its flock, so that two
/// processes never work on one. What a process that was killed left in it is removed.
class StagingFolder {
 public:
  /// Makes the folder, and those that it lies in. Who may read them, the umask says.
  /// @param destination  what commit() makes; its last component is a plain name
  /// @throws TryAgainError (75) if another process makes the same bundle; CannotCreateError,
  ///         PermissionError
  explicit StagingFolder(const std::filesystem::path& destination);
  ~StagingFolder();
  StagingFolder(const StagingFolder&) = delete;
  StagingFolder& operator=(const StagingFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

  /// Lets others read what is in it as the umask allows, and puts it in the place of its
  /// destination, whole or not at all. An older bundle there is removed afterwards.
  /// @param replaces  whether there may be one; see require_replaceable()
  /// @throws CannotCreateError; then the destination is as it was
  void commit(bool replaces);

 private:
  void open_locked();
  void empty() const;
  void replace_older();

  std::filesystem::path destination_;
  std::filesystem::path path_;
  int descriptor_ = -1;
  bool is_committed_ = false;
  mode_t mode_ = 0;  ///< of folders that are made under the umask
};

/// Whether something is at `path`, a link that leads nowhere too.
bool is_taken(const std::filesystem::path& path);

/// Refuses to replace a folder unless it is proved to be a bundle: it has a manifest, and nothing
/// but what that lists.
/// @throws CannotCreateError (73) saying what speaks against it
void require_replaceable(const std::filesystem::path& folder);

}  // namespace sdx
