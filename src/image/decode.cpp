#include "sdx/image/decode.h"

#include <libexif/exif-data.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "image/codec.h"
#include "image/decoders.h"
#include "image/png_chunks.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"

namespace sdx {
namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{256} << 20U;

struct ExifRelease {
  void operator()(ExifData* data) const { exif_data_unref(data); }
};

/// `image`, which was stored with this EXIF orientation, as it is to be seen.
Image upright(Image image, int orientation) {
  if (orientation == 1) return image;
  const int width = image.width_px;
  const int height = image.height_px;
  const bool sides_change = orientation >= 5;
  Image turned(sides_change ? height : width, sides_change ? width : height);
  // Each orientation is an exchange of the axes (5–8), then a reversal of either.
  const bool reverse_x =
      orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool reverse_y =
      orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  std::uint8_t* target = turned.rgb.data();
  for (int y = 0; y < turned.height_px; ++y) {
    for (int x = 0; x < turned.width_px; ++x, target += 3) {
      const int along_x = sides_change ? y : x;
      const int along_y = sides_change ? x : y;
      const int source_x = reverse_x ? width - 1 - along_x : along_x;
      const int source_y = reverse_y ? height - 1 - along_y : along_y;
      const std::size_t source =
          3 * (static_cast<std::size_t>(source_y) * static_cast<std::size_t>(width) +
               static_cast<std::size_t>(source_x));
      std::memcpy(target, image.rgb.data() + source, 3);
    }
  }
  return turned;
}

[[noreturn]] void refuse_format(std::string_view file) {
  const auto has_at = [file](std::size_t position, std::string_view text) {
    return file.size() >= position && file.substr(position).starts_with(text);
  };
  if (file.empty()) throw DataError("the file is empty");
  std::string what = "no picture in a format that is read here";
  if (has_at(0, std::string_view("\xFF\x0A", 2)) || has_at(4, "JXL ")) what = "a JPEG XL";
  if (has_at(0, "IIRO") || has_at(0, std::string_view("IIU\0", 4)) || has_at(4, "ftypcrx")) {
    what = "a camera's raw file";
  }
  if (has_at(0, "%PDF")) what = "a PDF";
  throw DataError(what + ", whatever its name says; save it as " + describe_readable_formats());
}

}  // namespace

std::string read_image_file(const std::filesystem::path& path) {
  // read_file's complaints about the kind of the file begin with the path.
  try {
    return read_file(path, kMaxFileBytes);
  } catch (const DataError& error) {
    const std::string prefix = path.string() + ": ";
    const std::string_view message = error.what();
    if (!message.starts_with(prefix)) throw;
    throw DataError(std::string(message.substr(prefix.size())));
  }
}

ImageFormat image_format(std::string_view file) {
  if (const auto format = signed_format(file)) return *format;
  refuse_format(file);
}

void require_size(std::uint64_t width, std::uint64_t height, int most_megapixels) {
  if (width == 0 || height == 0) throw DataError("damaged: its header says that it has no pixels");
  const std::uint64_t most = static_cast<std::uint64_t>(most_megapixels) * 1000000;
  if (width > most || height > most || width * height > most) {
    throw DataError("too large: " + std::to_string(width) + "x" + std::to_string(height) +
                    " pixels; at most " + std::to_string(most_megapixels) +
                    " megapixels are read. Scale it down: 2000 pixels a side are plenty");
  }
}

[[noreturn]] void refuse_animation(const char* format) {
  throw DataError(std::string("an animated ") + format + "; only still pictures are read");
}

Image without_alpha(const std::vector<std::uint8_t>& rgba, int width, int height) {
  Image image(width, height);
  const std::uint8_t* source = rgba.data();
  for (std::size_t i = 0; i < image.rgb.size(); i += 3, source += 4) {
    const unsigned alpha = source[3];
    for (std::size_t channel = 0; channel < 3; ++channel) {
      image.rgb[i + channel] =
          static_cast<std::uint8_t>((source[channel] * alpha + 255 * (255 - alpha) + 127) / 255);
    }
  }
  return image;
}

Image over_white(const std::vector<std::uint8_t>& premultiplied_rgba, int width, int height) {
  Image image(width, height);
  const std::uint8_t* source = premultiplied_rgba.data();
  for (std::size_t i = 0; i < image.rgb.size(); i += 3, source += 4) {
    const int white = 255 - source[3];
    for (std::size_t channel = 0; channel < 3; ++channel) {
      image.rgb[i + channel] = static_cast<std::uint8_t>(std::min(source[channel] + white, 255));
    }
  }
  return image;
}

int exif_orientation(std::string_view block) {
  std::string prefixed;
  if (!block.starts_with(kExifPrefix)) {  // PNG and WebP leave it out
    prefixed = std::string(kExifPrefix) + std::string(block);
    block = prefixed;
  }
  const std::unique_ptr<ExifData, ExifRelease> data(exif_data_new());
  if (data == nullptr) return 1;
  // Read as it is; by default libexif adds and mends entries.
  exif_data_unset_option(data.get(), EXIF_DATA_OPTION_FOLLOW_SPECIFICATION);
  exif_data_load_data(data.get(), unsigned_bytes(block), static_cast<unsigned>(block.size()));
  const ExifEntry* const entry =
      exif_content_get_entry(data->ifd[EXIF_IFD_0], EXIF_TAG_ORIENTATION);
  if (entry == nullptr || entry->format != EXIF_FORMAT_SHORT || entry->size < 2) return 1;
  const int orientation = exif_get_short(entry->data, exif_data_get_byte_order(data.get()));
  return orientation >= 1 && orientation <= 8 ? orientation : 1;
}

DecodedImage decode_image_bytes(std::string_view file) {
  DecodedImage decoded = codec_for(image_format(file)).decode(file);
  decoded.image = upright(std::move(decoded.image), decoded.exif_orientation);
  return decoded;
}

DecodedImage decode_image(const std::filesystem::path& path) {
  return decode_image_bytes(read_image_file(path));
}

}  // namespace sdx
