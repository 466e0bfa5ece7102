#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sdx/util/enum_text.h"

namespace sdx {

/// The formats in which pictures are read and written. src/image/codec.cpp has a row for each with
/// all that the program knows of it.
enum class ImageFormat {
  kPng,   ///< lossless
  kJpeg,  ///< lossy, read by everything
  kWebp,  ///< lossy, the smallest
  // These are only read:
  kHeic,  ///< what telephones store; by libheif, where it is installed
  kAvif,  ///< the same
  kTiff,  ///< scanners; by libtiff, where it is installed
  kBmp,   ///< old programs
  kGif,   ///< its first frame
};

template <>
inline constexpr std::array kEnumTexts<ImageFormat> = {
    EnumText{ImageFormat::kPng, "png", "PNG"},
    EnumText{ImageFormat::kJpeg, "jpeg", "JPEG", "jpg"},
    EnumText{ImageFormat::kWebp, "webp", "WebP"},
    EnumText{ImageFormat::kHeic, "heic", "HEIC", "heif"},
    EnumText{ImageFormat::kAvif, "avif", "AVIF"},
    EnumText{ImageFormat::kTiff, "tiff", "TIFF", "tif"},
    EnumText{ImageFormat::kBmp, "bmp", "BMP"},
    EnumText{ImageFormat::kGif, "gif", "GIF"}};

/// All formats that are read.
std::vector<ImageFormat> readable_formats();
/// "PNG, JPEG, WebP, HEIC, AVIF, TIFF, BMP or GIF": their names in a message.
std::string describe_readable_formats();
/// Those of them that write_image() writes.
std::vector<ImageFormat> writable_formats();

/// What names of files end with: ".png", ".jpg", ".webp", ".heic".
std::string_view file_extension(ImageFormat format);

/// What browsers call a format: "image/png".
std::string_view media_type(ImageFormat format);

/// The first bytes of a file that tell its format.
inline constexpr std::size_t kSignatureBytes = 12;

/// The format of a file by its signature, whatever its name says; nothing if it is none of these.
/// @param file the whole file, or its first kSignatureBytes.
std::optional<ImageFormat> signed_format(std::string_view file);

}  // namespace sdx
