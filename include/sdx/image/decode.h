#pragma once

#include <filesystem>
#include <string_view>

#include "sdx/image/image.h"

namespace sdx {

/// Pictures with more pixels than this are refused by their header, before anything is decoded.
inline constexpr int kMaxImageMegapixels = 64;

/// The same of a JPEG, as telephones with 108 and 200 megapixels write them: one that is larger
/// than kMaxImageMegapixels is decoded at half its width and height, which costs no more memory.
inline constexpr int kMaxJpegMegapixels = 256;

/// A picture as it was on the disk, and how it was turned.
struct DecodedImage {
  Image image;               ///< upright: the EXIF orientation is applied
  int exif_orientation = 1;  ///< 1–8 as in the file; 1 when there is none
};

/// Reads a picture in one of readable_formats().
///
/// OpenCV's decoder shows a grey half for a truncated JPEG and hangs on a FIFO, so the file is
/// checked first: a regular file, the signature of a format that we read (whatever its name says),
/// the size in the header, the format's end marker. Warnings of libjpeg, libpng and libheif
/// (damaged data, wrong CRC) are errors. Grey, CMYK and 16-bit pictures become 8-bit RGB; alpha is
/// composited over white. An embedded ICC profile is honoured: the pixels become sRGB, and those
/// that are sRGB stay as they are. Animated PNG and WebP are refused; of a GIF the first frame is
/// read, of a HEIC, an AVIF and a TIFF the main picture. HEIC and AVIF need libheif, TIFF libtiff;
/// both are loaded when they are needed.
/// @throws MissingInputError, PermissionError, IoError; DataError whose message says what is wrong
///         with the file, without its path ("truncated: the end marker of the JPEG is missing").
DecodedImage decode_image(const std::filesystem::path& path);

/// The same of the bytes of such a file.
/// @throws DataError as decode_image.
DecodedImage decode_image_bytes(std::string_view file);

}  // namespace sdx
