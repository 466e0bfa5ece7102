#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace sdx {

/// The whole content of a regular file.
/// @throws MissingInputError, PermissionError or IoError (see throw_errno); DataError if `path` is
///         not a regular file (a FIFO would hang, a device would never end) or is larger than
///         `max_bytes`.
std::string read_file(const std::filesystem::path& path,
                      std::size_t max_bytes = std::size_t{1} << 31);

/// The first bytes of a regular file, at most `bytes`: what tells its format, however long it is.
/// @throws as read_file.
std::string read_file_start(const std::filesystem::path& path, std::size_t bytes);

/// Gives the content of a regular file to `consume` piece by piece, so that memory does not depend
/// on its size.
/// @throws as read_file.
void read_file_in_pieces(const std::filesystem::path& path,
                         const std::function<void(std::span<const std::byte>)>& consume);

/// When the content of a file last changed, by the file system's word, in nanoseconds: to be held
/// against an earlier answer, nothing else.
/// @throws std::filesystem::filesystem_error
std::int64_t time_of_change_ns(const std::filesystem::path& file);

/// A file mapped into memory, copy-on-write: pages are shared with every other process that maps
/// it, and nothing that is done to them reaches the disk.
class MappedFile {
 public:
  /// @throws as read_file.
  static std::shared_ptr<MappedFile> open(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<std::byte> bytes() const { return bytes_; }

  /// Gives the memory of the pages that lie wholly in `part` back to the system. Whoever looks at
  /// them again sees what is in the file: what was written to them is lost.
  void release(std::span<std::byte> part) const;

 private:
  explicit MappedFile(std::span<std::byte> bytes) : bytes_(bytes) {}
  std::span<std::byte> bytes_;
};

/// A file that appears whole or not at all: bytes go to a temporary file beside `path`
/// (O_EXCL, 0600); commit() flushes it to the disk, renames it over `path` and flushes the folder.
/// Without commit() the temporary file is removed and an older file at `path` is untouched.
class AtomicFile {
 public:
  /// @throws CannotCreateError or PermissionError if the temporary file cannot be made, or if what
  ///         is at `path` is not a regular file (a rename would replace even /dev/null). A symbolic
  ///         link is replaced, not followed.
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// @throws IoError, e.g. when the disk is full; the older file is still intact.
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text);
  /// @throws as write(); PermissionError if the older file may not be replaced.
  void commit();

  /// The same, but never replaces: two processes that want one name both keep their files.
  /// @return false if something is at `path` already; then nothing has changed.
  /// @throws as write().
  bool commit_new();

 private:
  void discard();
  void flush();

  std::filesystem::path path_;
  std::filesystem::path temporary_path_;
  int descriptor_ = -1;
};

/// AtomicFile in one call.
void write_file_atomically(const std::filesystem::path& path, std::string_view bytes);

/// AtomicFile in one call, which never replaces a file.
/// @return false if something is at `path` already.
bool create_file_atomically(const std::filesystem::path& path, std::string_view bytes);

/// Makes `folder` (and its parents, mode 0700) and proves, by making and removing a file in it,
/// that results can be written there: call it before the expensive work.
/// @throws CannotCreateError (73) or PermissionError (77) naming the folder.
void prepare_output_folder(const std::filesystem::path& folder);

}  // namespace sdx
