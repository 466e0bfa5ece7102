#include "sdx/util/remove.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

#include "sdx/util/error.h"

namespace sdx {
namespace {

namespace fs = std::filesystem;

/// A folder that is open, and can be read through.
class OpenFolder {
 public:
  /// @param at  the folder that `name` is in; AT_FDCWD for one that a person typed, which may be a
  ///            link
  /// @return none if nothing is there
  static std::unique_ptr<OpenFolder> open(int at, const std::string& name, const fs::path& shown) {
    const int follow = at == AT_FDCWD ? 0 : O_NOFOLLOW;
    const int descriptor = ::openat(at, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | follow);
    if (descriptor < 0) {
      if (errno == ENOENT) return nullptr;
      if (errno == ELOOP || errno == ENOTDIR) {
        throw DataError(shown.string() +
                        ": is a symbolic link or no folder; nothing behind it is removed");
      }
      throw_errno(errno, "open the folder", shown.string());
    }
    DIR* const stream = ::fdopendir(descriptor);
    if (stream == nullptr) {
      const int failure = errno;
      ::close(descriptor);
      throw_errno(failure, "open the folder", shown.string());
    }
    return std::unique_ptr<OpenFolder>(new OpenFolder(stream));
  }
  ~OpenFolder() { ::closedir(stream_); }
  OpenFolder(const OpenFolder&) = delete;
  OpenFolder& operator=(const OpenFolder&) = delete;

  int descriptor() const { return ::dirfd(stream_); }

  /// The names of its entries, in order.
  std::vector<std::string> list(const fs::path& shown) const {
    std::vector<std::string> names;
    ::rewinddir(stream_);
    errno = 0;
    while (const dirent* const entry = ::readdir(stream_)) {
      const std::string name = entry->d_name;
      if (name != "." && name != "..") names.push_back(name);
    }
    if (errno != 0) throw_errno(errno, "read the folder", shown.string());
    std::sort(names.begin(), names.end());
    return names;
  }

 private:
  explicit OpenFolder(DIR* stream) : stream_(stream) {}
  DIR* stream_;
};

bool is_plain(const std::string& component) {
  return !component.empty() && component != "." && component != ".." &&
         component.find('/') == component.npos && component.find('\0') == component.npos;
}

enum class Action { kList, kRemove };

/// Goes through the trees below one root.
class Walk {
 public:
  Walk(fs::path root, Action action) : root_(std::move(root)), action_(action) {}

  std::vector<fs::path> run(const fs::path& within) {
    const bool is_inside = !within.empty() && within.is_relative() &&
                           std::all_of(within.begin(), within.end(), [](const fs::path& part) {
                             return is_plain(part.string());
                           });
    if (!is_inside) {
      throw UsageError("\"" + within.string() + "\" is no place inside " + root_.string() +
                       ", so nothing is removed");
    }
    auto folder = OpenFolder::open(AT_FDCWD, root_.empty() ? "." : root_.string(), root_);
    fs::path reached;
    for (const fs::path& part : within.parent_path()) {
      if (!folder) return {};
      reached /= part;
      folder = OpenFolder::open(folder->descriptor(), part.string(), root_ / reached);
    }
    if (folder) visit(*folder, within.filename().string(), within);
    return std::move(found_);
  }

 private:
  void visit(const OpenFolder& parent, const std::string& name, const fs::path& path) {
    struct stat status = {};
    if (::fstatat(parent.descriptor(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) return;
      throw_errno(errno, "look at", (root_ / path).string());
    }
    const bool is_folder = S_ISDIR(status.st_mode);
    if (is_folder) {
      // Exchanged for a link since fstatat, it is refused here.
      const auto folder = OpenFolder::open(parent.descriptor(), name, root_ / path);
      if (!folder) return;
      for (const std::string& entry : folder->list(root_ / path)) {
        visit(*folder, entry, path / entry);
      }
    } else {
      found_.push_back(path);
    }
    if (action_ == Action::kList) return;
    if (::unlinkat(parent.descriptor(), name.c_str(), is_folder ? AT_REMOVEDIR : 0) != 0 &&
        errno != ENOENT) {
      throw_errno(errno, "remove", (root_ / path).string());
    }
  }

  fs::path root_;
  Action action_;
  std::vector<fs::path> found_;
};

}  // namespace

fs::path join_inside(const fs::path& folder, const std::string& name, const std::string& what) {
  if (!is_plain(name)) {
    throw UsageError(what + " \"" + name +
                     "\" cannot be part of a path: expected a name that is not empty, not \".\" or "
                     "\"..\", without a slash");
  }
  return folder / name;
}

std::vector<fs::path> list_inside(const fs::path& root, const fs::path& within) {
  return Walk(root, Action::kList).run(within);
}

std::vector<fs::path> remove_inside(const fs::path& root, const fs::path& within) {
  return Walk(root, Action::kRemove).run(within);
}

}  // namespace sdx
