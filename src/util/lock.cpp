#include "sdx/util/lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "sdx/util/error.h"
#include "sdx/util/text.h"

namespace sdx {

FileLock::FileLock(const std::filesystem::path& file, const std::string& what)
    : descriptor_(::open(file.c_str(), O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600)) {
  if (descriptor_ < 0) throw_errno(errno, "create", file.string());
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
    std::array<char, 32> holder{};
    const ssize_t length = ::read(descriptor_, holder.data(), holder.size() - 1);
    ::close(descriptor_);
    throw TryAgainError(what + ": another process works on it" +
                        (length > 0 ? " (number " + trim(holder.data()) + ")" : std::string()) +
                        "; wait until it has ended");
  }
  // The number is only for the message above: who holds the lock does not depend on it.
  const std::string number = std::to_string(::getpid()) + "\n";
  if (::ftruncate(descriptor_, 0) != 0 ||
      ::write(descriptor_, number.data(), number.size()) != static_cast<ssize_t>(number.size())) {
    const int failure = errno;
    ::close(descriptor_);
    throw_errno(failure, "write", file.string());
  }
}

FileLock::~FileLock() { ::close(descriptor_); }

}  // namespace sdx
