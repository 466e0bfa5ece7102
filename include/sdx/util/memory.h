#pragma once

#include <cstdint>
#include <filesystem>

namespace sdx {

/// Bytes that this process can still take before the system has to swap or kill: the least of
/// the kernel's own estimate (MemAvailable) and of what the limits of its control groups leave,
/// counting cached files there as free. Linux only.
/// @param root where /proc and /sys are; another one only in tests.
/// @throws UnavailableError if /proc/meminfo does not say.
std::int64_t available_memory_bytes(const std::filesystem::path& root = "/");

/// Bytes of this process that are in memory now, mapped files included.
std::int64_t resident_memory_bytes();

/// The most that ever were, by the system's count.
std::int64_t peak_memory_bytes();

/// Keeps what is freed for what is allocated next. By default malloc gives every large block back
/// to the system at once, which fills its pages with zeros again for the next layer's result: a
/// quarter of a training step of Stable Diffusion. For work that takes and frees the same sizes
/// again and again: what comes after it finds the kept blocks in pieces and takes more beside them,
/// so they are to be given back before. One at a time in a process.
class FreedMemory {
 public:
  FreedMemory() = default;
  FreedMemory(const FreedMemory&) = delete;
  FreedMemory& operator=(const FreedMemory&) = delete;
  ~FreedMemory() { give_back(); }

  void keep();
  void give_back();

 private:
  bool is_kept_ = false;
};

}  // namespace sdx
