#include "sdx/image/format.h"

#include "image/codec.h"

namespace sdx {

std::vector<ImageFormat> readable_formats() {
  std::vector<ImageFormat> formats;
  for (const ImageCodec& codec : image_codecs()) formats.push_back(codec.format);
  return formats;
}

std::string describe_readable_formats() {
  std::vector<std::string> names;
  for (const ImageFormat format : readable_formats()) names.emplace_back(display_name(format));
  return list_choices(names);
}

std::vector<ImageFormat> writable_formats() {
  std::vector<ImageFormat> formats;
  for (const ImageCodec& codec : image_codecs()) {
    if (codec.encode != nullptr) formats.push_back(codec.format);
  }
  return formats;
}

std::string_view file_extension(ImageFormat format) { return codec_for(format).extension; }

std::string_view media_type(ImageFormat format) { return codec_for(format).media_type; }

std::optional<ImageFormat> signed_format(std::string_view file) {
  for (const ImageCodec& codec : image_codecs()) {
    if (codec.has_signature(file)) return codec.format;
  }
  return std::nullopt;
}

}  // namespace sdx
