#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>

#include "sdx/image/decode.h"
#include "sdx/image/format.h"
#include "sdx/image/image.h"

namespace sdx {

/// What is written beside the pixels, in UTF-8; an empty text is left out.
struct ImageTexts {
  std::string_view parameters;
  std::string_view xmp;
};

/// All that the program knows of an image format, besides its names in format.h.
struct ImageCodec {
  ImageFormat format;
  std::string_view extension;   ///< of the files that are written: ".png"
  std::string_view media_type;  ///< what browsers call it: "image/png"

  /// Whether a file begins as this format does. It may be as short as kSignatureBytes.
  bool (*has_signature)(std::string_view file);

  /// The picture in a whole file, as it is stored, not yet upright.
  DecodedImage (*decode)(std::string_view file);

  /// The texts in a whole file, by their keywords: see read_image_texts().
  std::map<std::string, std::string> (*read_texts)(std::string_view file);

  /// The file of a picture with its texts. Null: the format is only read.
  std::string (*encode)(const Image& image, int quality, const ImageTexts& texts);
  int quality;  ///< where none is asked for, 1 … 100; 0: the format has none
};

/// A row for each format.
std::span<const ImageCodec> image_codecs();
/// The row of a format.
const ImageCodec& codec_for(ImageFormat format);

}  // namespace sdx
