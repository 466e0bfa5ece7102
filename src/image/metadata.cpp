#include "sdx/image/metadata.h"

#include <map>

#include "image/decoders.h"
#include "image/exif_comment.h"
#include "sdx/util/error.h"

namespace sdx {
namespace {

std::optional<std::string> png_parameters(std::string_view file) {
  const std::map<std::string, std::string> texts = png_texts(file);
  const auto found = texts.find("parameters");
  if (found == texts.end() || found->second.empty()) return std::nullopt;
  return found->second;
}

std::optional<std::string> parameters_of(std::string_view file) {
  const ImageFormat format = image_format(file);
  if (format == ImageFormat::kPng) return png_parameters(file);
  const std::string exif = format == ImageFormat::kJpeg ? jpeg_exif(file) : webp_exif(file);
  return exif.empty() ? std::nullopt : exif_comment(exif);
}

}  // namespace

std::optional<std::string> read_parameters(const std::filesystem::path& path) {
  const std::string prefix = path.string() + ": ";
  try {
    return parameters_of(read_picture_file(path));
  } catch (const DataError& error) {
    throw DataError(prefix + error.what());
  }
}

}  // namespace sdx
