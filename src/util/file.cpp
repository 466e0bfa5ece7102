#include "sdx/util/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <system_error>
#include <utility>
#include <vector>

#include "sdx/util/error.h"
#include "util/temporary_files.h"

namespace sdx {
namespace {

namespace fs = std::filesystem;

/// Calls again what a signal interrupted.
template <typename Call>
auto uninterrupted(Call&& call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

/// A file descriptor that is closed at the end of the scope.
class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return value_; }

 private:
  int value_;
};

std::string describe_irregular(mode_t mode) {
  if (S_ISDIR(mode)) return "is a folder, not a file";
  if (S_ISFIFO(mode)) return "is a pipe (FIFO), not a regular file";
  if (S_ISSOCK(mode)) return "is a socket, not a regular file";
  if (S_ISCHR(mode) || S_ISBLK(mode)) return "is a device, not a regular file";
  return "is not a regular file";
}

void require_regular(const struct stat& status, const fs::path& path) {
  if (!S_ISREG(status.st_mode)) {
    throw DataError(path.string() + ": " + describe_irregular(status.st_mode));
  }
}

/// Opens a regular file for reading and says how long it is.
int open_regular(const fs::path& path, std::size_t& size) {
  struct stat status = {};
  // Looked at before it is opened: opening a FIFO or a device can hang or do something. Looked at
  // again afterwards: it may have been exchanged in between (O_NONBLOCK keeps even that from
  // hanging).
  if (::stat(path.c_str(), &status) != 0) throw_errno(errno, "read", path.string());
  require_regular(status, path);
  const int descriptor = uninterrupted(
      [&path] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); });
  if (descriptor < 0) throw_errno(errno, "read", path.string());
  if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(descriptor);
    throw DataError(path.string() + ": is not a regular file");
  }
  size = static_cast<std::size_t>(status.st_size);
  return descriptor;
}

bool is_permission_errno(int number) {
  return number == EACCES || number == EPERM || number == EROFS;
}

/// @param action with its object: "create /x/y"
[[noreturn]] void throw_cannot(const std::string& action, int number, const std::string& remedy) {
  const std::string message =
      "cannot " + action + ": " + std::generic_category().message(number) + remedy;
  if (is_permission_errno(number)) throw PermissionError(message);
  throw CannotCreateError(message);
}

/// The folder that `path` lies in, as something that can be opened.
fs::path find_parent_folder(const fs::path& path) {
  const fs::path parent = path.parent_path();
  return parent.empty() ? fs::path(".") : parent;
}

/// Makes a new file of mode 0600 beside `target`, named so that no other process and no other call
/// takes the same name. Returns its descriptor, or -1 with errno set.
int create_beside(const fs::path& target, fs::path& created) {
  static std::atomic<unsigned> counter{0};
  // Names end at 255 bytes; a long target's is cut to leave room for the rest.
  constexpr std::size_t kMaxStem = 200;
  const std::string stem = target.filename().string().substr(0, kMaxStem);
  constexpr int kTries = 1000;
  for (int attempt = 0; attempt < kTries; ++attempt) {
    created = target.parent_path() / ("." + stem + "." + std::to_string(::getpid()) + "-" +
                                      std::to_string(counter++) + ".tmp");
    const int descriptor = uninterrupted([&created] {
      return ::open(created.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    });
    // A killed process may have left a file of this name, and numbers of processes come again.
    if (descriptor >= 0 || errno != EEXIST) return descriptor;
  }
  errno = EEXIST;
  return -1;
}

/// 0, or the errno of the write that failed.
int write_all(int descriptor, std::span<const std::byte> bytes) {
  // Linux writes at most 2 GiB at once.
  constexpr std::size_t kMaxChunk = std::size_t{1} << 30U;
  while (!bytes.empty()) {
    const std::size_t chunk = std::min(bytes.size(), kMaxChunk);
    const ssize_t written = uninterrupted([&] { return ::write(descriptor, bytes.data(), chunk); });
    if (written < 0) return errno;
    if (written == 0) return EIO;
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return 0;
}

/// A file system that cannot flush a folder, or a folder that we may write to but not read, is no
/// reason to fail: the file is in place.
void flush_folder(const fs::path& folder, const fs::path& path) {
  const Descriptor descriptor(uninterrupted(
      [&folder] { return ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  if (descriptor.get() < 0) return;
  if (uninterrupted([&descriptor] { return ::fsync(descriptor.get()); }) != 0 &&
      (errno == EIO || errno == ENOSPC || errno == EDQUOT)) {
    throw IoError(path.string() + ": written, but its folder could not be flushed to the disk: " +
                  std::generic_category().message(errno));
  }
}

[[noreturn]] void throw_write_failure(int number, const fs::path& path) {
  std::string reason;
  switch (number) {
    case ENOSPC:
      reason = "disk full";
      break;
    case EDQUOT:
      reason = "disk quota exhausted";
      break;
    case EFBIG:
      reason = "limit of the file size reached (ulimit -f)";
      break;
    default:
      reason = std::generic_category().message(number);
      break;
  }
  throw IoError(reason + " while writing " + path.string() + "; an older file there is untouched");
}

}  // namespace

std::string read_file(const fs::path& path, std::size_t max_bytes) {
  std::size_t size = 0;
  const Descriptor descriptor(open_regular(path, size));
  const auto require_fits = [&](std::size_t bytes) {
    if (bytes > max_bytes) {
      throw DataError(path.string() + ": larger than the " + std::to_string(max_bytes) +
                      " bytes that are accepted here");
    }
  };
  require_fits(size);
  // Read to the end and not to the size: files under /proc say 0, and a file may be growing.
  std::string content;
  content.resize(size + 1);
  std::size_t filled = 0;
  while (true) {
    if (filled == content.size()) content.resize(content.size() + (std::size_t{1} << 16U));
    const ssize_t count = uninterrupted(
        [&] { return ::read(descriptor.get(), content.data() + filled, content.size() - filled); });
    if (count < 0) throw_errno(errno, "read", path.string());
    if (count == 0) break;
    filled += static_cast<std::size_t>(count);
    require_fits(filled);
  }
  content.resize(filled);
  return content;
}

std::string read_file_start(const fs::path& path, std::size_t bytes) {
  std::size_t size = 0;
  const Descriptor descriptor(open_regular(path, size));
  std::string start(bytes, '\0');
  std::size_t filled = 0;
  while (filled < bytes) {
    const ssize_t count = uninterrupted(
        [&] { return ::read(descriptor.get(), start.data() + filled, bytes - filled); });
    if (count < 0) throw_errno(errno, "read", path.string());
    if (count == 0) break;
    filled += static_cast<std::size_t>(count);
  }
  start.resize(filled);
  return start;
}

std::int64_t time_of_change_ns(const fs::path& file) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             fs::last_write_time(file).time_since_epoch())
      .count();
}

void read_file_in_pieces(const fs::path& path,
                         const std::function<void(std::span<const std::byte>)>& consume) {
  std::size_t size = 0;
  const Descriptor descriptor(open_regular(path, size));
  std::vector<std::byte> buffer(std::size_t{1} << 20U);
  while (true) {
    const ssize_t count =
        uninterrupted([&] { return ::read(descriptor.get(), buffer.data(), buffer.size()); });
    if (count < 0) throw_errno(errno, "read", path.string());
    if (count == 0) return;
    consume(std::span(buffer).first(static_cast<std::size_t>(count)));
  }
}

std::shared_ptr<MappedFile> MappedFile::open(const fs::path& path) {
  std::size_t size = 0;
  const Descriptor descriptor(open_regular(path, size));
  // An empty mapping is an error for mmap, an empty file is none for us.
  if (size == 0) return std::shared_ptr<MappedFile>(new MappedFile({}));
  // NORESERVE: copy-on-write pages of a model of several GB are hardly ever written to, and must
  // not count against the memory of the machine.
  void* const address = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE,
                               descriptor.get(), 0);
  if (address == MAP_FAILED) throw_errno(errno, "map", path.string());
  try {
    return std::shared_ptr<MappedFile>(new MappedFile({static_cast<std::byte*>(address), size}));
  } catch (...) {
    ::munmap(address, size);
    throw;
  }
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(bytes_.data(), bytes_.size());
}

void MappedFile::release(std::span<std::byte> part) const {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const auto from_start = static_cast<std::size_t>(part.data() - bytes_.data());
  const std::size_t begin = (from_start + page - 1) / page * page;
  const std::size_t end = (from_start + part.size()) / page * page;
  if (begin < end) ::madvise(bytes_.data() + begin, end - begin, MADV_DONTNEED);
}

AtomicFile::AtomicFile(fs::path path) : path_(std::move(path)) {
  if (!path_.has_filename()) {
    throw CannotCreateError("cannot create \"" + path_.string() + "\": it names no file");
  }
  // A rename would replace /dev/null itself, and fails over a folder only after all the work.
  struct stat status = {};
  if (::stat(path_.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    throw CannotCreateError("cannot create " + path_.string() + ": what is there " +
                            describe_irregular(status.st_mode));
  }
  descriptor_ = create_beside(path_, temporary_path_);
  if (descriptor_ < 0) {
    const int number = errno;
    throw_cannot("create " + path_.string(), number,
                 number == ENOENT ? " (the folder to put it in)" : std::string());
  }
  remember_temporary_file(temporary_path_);
}

AtomicFile::~AtomicFile() {
  discard();
  forget_temporary_file(temporary_path_);
}

void AtomicFile::discard() {
  if (descriptor_ < 0) return;
  ::close(std::exchange(descriptor_, -1));
  ::unlink(temporary_path_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  if (descriptor_ < 0) throw InternalError(path_.string() + ": written to after its end");
  if (const int failure = write_all(descriptor_, bytes); failure != 0) {
    discard();
    throw_write_failure(failure, path_);
  }
}

void AtomicFile::write(std::string_view text) {
  write(std::as_bytes(std::span(text.data(), text.size())));
}

void AtomicFile::flush() {
  if (descriptor_ < 0) throw InternalError(path_.string() + ": committed after its end");
  if (uninterrupted([this] { return ::fsync(descriptor_); }) != 0) {
    const int failure = errno;
    discard();
    throw_write_failure(failure, path_);
  }
  // Some file systems tell only now that the disk is full. Linux has closed it even after EINTR.
  if (::close(std::exchange(descriptor_, -1)) != 0 && errno != EINTR) {
    const int failure = errno;
    ::unlink(temporary_path_.c_str());
    throw_write_failure(failure, path_);
  }
}

void AtomicFile::commit() {
  flush();
  if (::rename(temporary_path_.c_str(), path_.c_str()) != 0) {
    const int failure = errno;
    ::unlink(temporary_path_.c_str());
    if (is_permission_errno(failure)) throw_errno(failure, "replace", path_.string());
    throw_write_failure(failure, path_);
  }
  flush_folder(find_parent_folder(path_), path_);
}

bool AtomicFile::commit_new() {
  flush();
  int failure = 0;
  if (::renameat2(AT_FDCWD, temporary_path_.c_str(), AT_FDCWD, path_.c_str(), RENAME_NOREPLACE) !=
      0) {
    failure = errno;
    // Some file systems know no such rename. A second name is made only where there is none yet.
    if (failure == EINVAL || failure == ENOSYS) {
      failure = ::link(temporary_path_.c_str(), path_.c_str()) == 0 ? 0 : errno;
    }
    ::unlink(temporary_path_.c_str());
  }
  if (failure == EEXIST) return false;
  if (failure != 0) throw_write_failure(failure, path_);
  flush_folder(find_parent_folder(path_), path_);
  return true;
}

void write_file_atomically(const fs::path& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

bool create_file_atomically(const fs::path& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes);
  return file.commit_new();
}

void prepare_output_folder(const fs::path& folder) {
  if (folder.empty()) throw CannotCreateError("the name of the output folder is empty");
  const auto fail = [&folder](const std::string& action, int number) {
    throw_cannot(action + " the folder " + folder.string(), number,
                 "; choose another output folder");
  };
  fs::path made_so_far;
  for (const fs::path& part : folder) {
    made_so_far /= part;
    struct stat status = {};
    if (::stat(made_so_far.c_str(), &status) != 0) {
      if (errno != ENOENT) fail("create", errno);
      // Somebody else may make it at the same time.
      if (::mkdir(made_so_far.c_str(), 0700) != 0 && errno != EEXIST) fail("create", errno);
      if (::stat(made_so_far.c_str(), &status) != 0) fail("create", errno);
    }
    if (!S_ISDIR(status.st_mode)) {
      throw CannotCreateError("cannot create the folder " + folder.string() + ": " +
                              made_so_far.string() + " is a file; choose another output folder");
    }
  }

  fs::path probe;
  const int descriptor = create_beside(folder / "probe", probe);
  if (descriptor < 0) fail("write into", errno);
  const int failure = write_all(descriptor, std::as_bytes(std::span("probe", 5)));
  ::close(descriptor);
  ::unlink(probe.c_str());
  if (failure != 0) fail("write into", failure);
}

}  // namespace sdx
