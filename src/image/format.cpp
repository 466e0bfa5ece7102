#include "sdx/image/format.h"

#include <string>

#include "image/png_chunks.h"
#include "sdx/util/error.h"

namespace sdx {

std::string_view to_string(ImageFormat format) {
  switch (format) {
    case ImageFormat::kPng:
      return "png";
    case ImageFormat::kJpeg:
      return "jpeg";
    case ImageFormat::kWebp:
      return "webp";
  }
  throw InternalError("an unknown picture format");
}

std::string_view file_extension(ImageFormat format) {
  switch (format) {
    case ImageFormat::kPng:
      return ".png";
    case ImageFormat::kJpeg:
      return ".jpg";
    case ImageFormat::kWebp:
      return ".webp";
  }
  throw InternalError("an unknown picture format");
}

ImageFormat parse_image_format(std::string_view text) {
  if (text == "png") return ImageFormat::kPng;
  if (text == "jpeg" || text == "jpg") return ImageFormat::kJpeg;
  if (text == "webp") return ImageFormat::kWebp;
  throw UsageError("\"" + std::string(text) + "\" is no picture format; choose png, jpeg or webp");
}

std::optional<ImageFormat> signed_format(std::string_view file) {
  constexpr std::string_view kJpegSignature("\xFF\xD8\xFF", 3);
  if (file.starts_with(kJpegSignature)) return ImageFormat::kJpeg;
  if (file.starts_with(kPngSignature)) return ImageFormat::kPng;
  const bool is_webp =
      file.size() >= kSignatureBytes && file.starts_with("RIFF") && file.substr(8, 4) == "WEBP";
  if (is_webp) return ImageFormat::kWebp;
  return std::nullopt;
}

}  // namespace sdx
