#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace sdx {

/// SHA-256 as 64 lower-case hex digits (FIPS 180-4, by OpenSSL).
std::string sha256_hex(std::span<const std::byte> bytes);
std::string sha256_hex(std::string_view text);

/// The same of a regular file's content, which is read piece by piece: the memory needed does not
/// depend on its size.
/// @param heed  called after each piece; may throw to stop: a large file takes seconds
/// @throws as read_file.
std::string sha256_of_file(
    const std::filesystem::path& path, const std::function<void()>& heed = [] {});

}  // namespace sdx
