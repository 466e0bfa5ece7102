#pragma once

#include <filesystem>
#include <string>

#include "sdx/image/format.h"
#include "sdx/image/image.h"
#include "sdx/image/metadata.h"
#include "sdx/util/settings_table.h"

namespace sdx {

/// How pixels become a file.
struct ImageEncoding {
  ImageFormat format = ImageFormat::kPng;
  /// 1–100; 0: 95 for JPEG, 90 for WebP. PNG has none. JPEG keeps the full resolution of colours
  /// (4:4:4); WebP halves it, with sharp edges ("sharp YUV").
  int quality = 0;
};

/// The bytes of a file with this picture and its metadata: what write_image() writes.
/// @throws as write_image, but for files.
std::string encode_image(const Image& image, const ImageEncoding& encoding,
                         const ImageMetadata& metadata);

/// Writes a picture and its metadata, atomically and with mode 0600. PNG: `parameters` as in
/// write_png and XMP in iTXt; JPEG and WebP: EXIF UserComment ("UNICODE" and UTF-16, high bytes
/// first, as AUTOMATIC1111 writes it) and XMP. The bytes depend on the arguments and the versions
/// of libpng, libjpeg and libwebp alone.
/// @throws UsageError for a quality out of range, for sides that the format cannot have (JPEG:
///         65500 pixels, WebP: 16383) and for parameters that do not fit into JPEG's 64 kB (about
///         32,000 letters); CannotCreateError, PermissionError, IoError; InternalError if the
///         picture is empty.
void write_image(const std::filesystem::path& path, const Image& image,
                 const ImageEncoding& encoding, const ImageMetadata& metadata);

/// How images are written: format and quality.
const SettingsTable<ImageEncoding>& encoding_settings();

}  // namespace sdx
