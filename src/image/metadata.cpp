#include "sdx/image/metadata.h"

#include <string>

#include "image/codec.h"
#include "image/decoders.h"
#include "sdx/util/error.h"

namespace sdx {

namespace {

/// What `read` finds in the file's bytes; its errors get the path.
template <typename Read>
auto read_from(const std::filesystem::path& path, const Read& read) {
  const std::string prefix = path.string() + ": ";
  try {
    const std::string file = read_image_file(path);
    return read(file, image_format(file));
  } catch (const DataError& error) {
    throw DataError(prefix + error.what());
  }
}

}  // namespace

std::map<std::string, std::string> read_image_texts(const std::filesystem::path& path) {
  return read_from(path, [](const std::string& file, ImageFormat format) {
    return codec_for(format).read_texts(file);
  });
}

std::optional<std::string> read_parameters(const std::filesystem::path& path) {
  const std::map<std::string, std::string> texts = read_image_texts(path);
  const auto found = texts.find(kParametersKeyword);
  if (found == texts.end() || found->second.empty()) return std::nullopt;
  return found->second;
}

bool hides_text(const std::filesystem::path& path) {
  return read_from(path, [](const std::string& file, ImageFormat format) {
    return format == ImageFormat::kPng && png_hides_text(file);
  });
}

}  // namespace sdx
