#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace sdx {

/// The formats in which pictures are read and written.
enum class ImageFormat {
  kPng,   ///< lossless
  kJpeg,  ///< lossy, read by everything
  kWebp,  ///< lossy, the smallest
};

/// As typed on the command line: "png", "jpeg", "webp".
std::string_view to_string(ImageFormat format);
/// What names of files end with: ".png", ".jpg", ".webp".
std::string_view file_extension(ImageFormat format);
/// Takes "jpg" as well.
/// @throws UsageError that lists the formats.
ImageFormat parse_image_format(std::string_view text);

/// The first bytes of a file that tell its format.
inline constexpr std::size_t kSignatureBytes = 12;

/// The format of a file by its signature, whatever its name says; nothing if it is none of these.
/// @param file the whole file, or its first kSignatureBytes.
std::optional<ImageFormat> signed_format(std::string_view file);

}  // namespace sdx
