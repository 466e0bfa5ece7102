#include "sdx/util/memory.h"

#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <utility>

#include "sdx/util/error.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

constexpr int kMostKeptBytes = 1 << 30;
/// What malloc's own rule comes to in a program that frees large blocks.
constexpr int kMmapBytes = 1 << 25;

/// The number after `key` at the start of a line, as in /proc/meminfo and memory.stat.
std::optional<std::int64_t> number_after(const fs::path& file, const std::string& key) {
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) {
    std::istringstream words(line);
    std::string word;
    std::int64_t value = 0;
    if (words >> word >> value && word == key) return value;
  }
  return std::nullopt;
}

/// A file with one number; nothing for "max" and where there is no such file.
std::optional<std::int64_t> number_in(const fs::path& file) {
  std::ifstream stream(file);
  std::int64_t value = 0;
  if (!(stream >> value)) return std::nullopt;
  return value;
}

/// What one control group leaves; nothing where it has no limit.
std::optional<std::int64_t> left_in_group(const fs::path& group, const std::string& limit,
                                          const std::string& usage, const std::string& cached) {
  const auto most = number_in(group / limit);
  const auto used = number_in(group / usage);
  if (!most || !used) return std::nullopt;
  const std::int64_t reclaimable = number_after(group / "memory.stat", cached).value_or(0);
  return std::max<std::int64_t>(0, *most - *used + reclaimable);
}

/// This process's group below the mount of a hierarchy: version 2 has "0::/path", version 1
/// "4:memory:/path".
fs::path group_path(const fs::path& root, const std::string& controllers) {
  std::ifstream stream(root / "proc/self/cgroup");
  for (std::string line; std::getline(stream, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    if (line.substr(first + 1, second - first - 1) == controllers) {
      return fs::path(line.substr(second + 1)).relative_path();
    }
  }
  return {};
}

}  // namespace

std::int64_t available_memory_bytes(const fs::path& root) {
  const auto available = number_after(root / "proc/meminfo", "MemAvailable:");
  if (!available) {
    throw UnavailableError((root / "proc/meminfo").string() +
                           ": does not say MemAvailable, so the free memory is not known");
  }
  std::int64_t least = *available * 1024;
  const auto consider = [&](const fs::path& mount, fs::path group, const auto&... names) {
    // A limit of any group around ours binds; inside a container only the mount itself may exist.
    while (true) {
      if (const auto left = left_in_group(mount / group, names...)) least = std::min(least, *left);
      if (group.empty()) break;
      group = group.parent_path();
    }
  };
  consider(root / "sys/fs/cgroup", group_path(root, ""), "memory.max", "memory.current",
           "inactive_file");
  consider(root / "sys/fs/cgroup/memory", group_path(root, "memory"), "memory.limit_in_bytes",
           "memory.usage_in_bytes", "total_inactive_file");
  return least;
}

std::int64_t resident_memory_bytes() {
  std::ifstream stream("/proc/self/statm");
  std::int64_t total_pages = 0;
  std::int64_t resident_pages = 0;
  stream >> total_pages >> resident_pages;
  return resident_pages * ::sysconf(_SC_PAGESIZE);
}

std::int64_t peak_memory_bytes() {
  constexpr std::int64_t kKilobyte = 1024;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss * kKilobyte;
}

void FreedMemory::keep() {
  if (std::exchange(is_kept_, true)) return;
  ::mallopt(M_MMAP_THRESHOLD, kMostKeptBytes);
  ::mallopt(M_TRIM_THRESHOLD, kMostKeptBytes);
}

void FreedMemory::give_back() {
  if (!std::exchange(is_kept_, false)) return;
  ::mallopt(M_MMAP_THRESHOLD, kMmapBytes);
  ::mallopt(M_TRIM_THRESHOLD, 2 * kMmapBytes);
  ::malloc_trim(0);
}

}  // namespace sdx
