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

}  // namespace sdx
