#include "sdx/image/decode.h"

#include <cstdio>  // jpeglib.h needs it and does not include it

#include <jerror.h>
#include <jpeglib.h>
#include <libexif/exif-data.h>
#include <png.h>
#include <webp/decode.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "png_chunks.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"

namespace sdx {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::size_t kMaxFileBytes = std::size_t{256} << 20U;
constexpr std::string_view kJpegSignature("\xFF\xD8\xFF", 3);
constexpr std::string_view kExifPrefix("Exif\0\0", 6);

const std::uint8_t* unsigned_bytes(std::string_view text) {
  return reinterpret_cast<const std::uint8_t*>(text.data());
}

std::string_view as_text(const std::uint8_t* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

void require_size(std::uint64_t width, std::uint64_t height) {
  if (width == 0 || height == 0) throw DataError("damaged: its header says that it has no pixels");
  constexpr std::uint64_t kMaxPixels = std::uint64_t{kMaxImageMegapixels} * 1000000;
  if (width > kMaxPixels || height > kMaxPixels || width * height > kMaxPixels) {
    throw DataError("too large: " + std::to_string(width) + "x" + std::to_string(height) +
                    " pixels; at most " + std::to_string(kMaxImageMegapixels) +
                    " megapixels are read");
  }
}

[[noreturn]] void refuse_animation(const char* format) {
  throw DataError(std::string("an animated ") + format + "; only still pictures are read");
}

Image without_alpha(const Bytes& rgba, int width, int height) {
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

// ---- EXIF ------------------------------------------------------------------------------------

struct ExifRelease {
  void operator()(ExifData* data) const { exif_data_unref(data); }
};

/// The orientation in a block of EXIF data, 1 if there is none or it makes no sense.
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

// ---- JPEG ------------------------------------------------------------------------------------

/// libjpeg's state. Its callbacks leave by longjmp: nothing that has a destructor may be made in
/// the functions that call setjmp, and everything that outlives them is in here.
struct JpegReader {
  jpeg_decompress_struct info = {};
  jpeg_error_mgr errors = {};
  jpeg_progress_mgr progress = {};
  std::jmp_buf escape = {};
  int failure_code = 0;
  std::array<char, JMSG_LENGTH_MAX> failure = {};

  JpegReader() = default;
  ~JpegReader() { jpeg_destroy_decompress(&info); }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  [[noreturn]] void throw_failure() const {
    if (failure_code == JWRN_JPEG_EOF) {
      throw DataError("truncated: the end marker of the JPEG is missing");
    }
    constexpr std::string_view kSaidAlready = "Corrupt JPEG data: ";
    std::string_view reason = failure.data();
    if (reason.starts_with(kSaidAlready)) reason.remove_prefix(kSaidAlready.size());
    throw DataError("damaged JPEG: " + std::string(reason));
  }
};

// A small progressive file can have thousands of scans, each of which goes over the whole picture.
constexpr int kMaxJpegScans = 500;

extern "C" {

void on_jpeg_error(j_common_ptr common) {
  auto& reader = *static_cast<JpegReader*>(common->client_data);
  reader.failure_code = common->err->msg_code;
  common->err->format_message(common, reader.failure.data());
  std::longjmp(reader.escape, 1);
}

/// libjpeg goes on after damaged data and paints it grey. We do not.
void on_jpeg_message(j_common_ptr common, int level) {
  if (level < 0) on_jpeg_error(common);
}

void on_jpeg_progress(j_common_ptr common) {
  auto& reader = *static_cast<JpegReader*>(common->client_data);
  if (reader.info.input_scan_number > kMaxJpegScans) {
    constexpr std::string_view kMessage = "too many scans";
    std::copy(kMessage.begin(), kMessage.end(), reader.failure.begin());
    std::longjmp(reader.escape, 1);
  }
}

}  // extern "C"

bool read_jpeg_header(JpegReader& reader, const std::uint8_t* bytes, unsigned long size) {
  jpeg_decompress_struct& info = reader.info;
  info.err = jpeg_std_error(&reader.errors);
  reader.errors.error_exit = on_jpeg_error;
  reader.errors.emit_message = on_jpeg_message;
  info.client_data = &reader;
  if (setjmp(reader.escape) != 0) return false;
  jpeg_create_decompress(&info);
  reader.progress.progress_monitor = on_jpeg_progress;
  info.progress = &reader.progress;
  jpeg_mem_src(&info, bytes, size);
  jpeg_save_markers(&info, JPEG_APP0 + 1, 0xFFFF);
  jpeg_read_header(&info, TRUE);
  return true;
}

/// Decodes into `pixels`, whose rows have `stride` bytes.
bool read_jpeg_pixels(JpegReader& reader, std::uint8_t* pixels, std::size_t stride) {
  if (setjmp(reader.escape) != 0) return false;
  jpeg_start_decompress(&reader.info);
  while (reader.info.output_scanline < reader.info.output_height) {
    JSAMPROW row = pixels + reader.info.output_scanline * stride;
    jpeg_read_scanlines(&reader.info, &row, 1);
  }
  jpeg_finish_decompress(&reader.info);  // reads on to the end marker
  return true;
}

/// CMYK by the plain formula: there is no colour profile of the press to go by.
Image from_cmyk(const Bytes& cmyk, int width, int height, bool inverted) {
  Image image(width, height);
  const std::uint8_t* source = cmyk.data();
  for (std::size_t i = 0; i < image.rgb.size(); i += 3, source += 4) {
    const auto light = [inverted](std::uint8_t ink) -> unsigned {
      return inverted ? ink : 255U - ink;
    };
    const unsigned black = light(source[3]);
    for (std::size_t channel = 0; channel < 3; ++channel) {
      image.rgb[i + channel] =
          static_cast<std::uint8_t>((light(source[channel]) * black + 127) / 255);
    }
  }
  return image;
}

DecodedImage decode_jpeg(std::string_view file) {
  JpegReader reader;
  if (!read_jpeg_header(reader, unsigned_bytes(file), file.size())) reader.throw_failure();
  jpeg_decompress_struct& info = reader.info;
  require_size(info.image_width, info.image_height);

  DecodedImage decoded;
  for (const jpeg_marker_struct* marker = info.marker_list; marker != nullptr;
       marker = marker->next) {
    const std::string_view data = as_text(marker->data, marker->data_length);
    if (data.starts_with(kExifPrefix)) {  // APP1 holds XMP as well
      decoded.exif_orientation = exif_orientation(data);
      break;
    }
  }

  const int width = static_cast<int>(info.image_width);
  const int height = static_cast<int>(info.image_height);
  if (info.jpeg_color_space == JCS_CMYK || info.jpeg_color_space == JCS_YCCK) {
    info.out_color_space = JCS_CMYK;
    const std::size_t stride = std::size_t{4} * info.image_width;
    Bytes cmyk(stride * info.image_height);
    if (!read_jpeg_pixels(reader, cmyk.data(), stride)) reader.throw_failure();
    // Adobe's programs store the light that is left instead of the ink, and mark the file.
    decoded.image = from_cmyk(cmyk, width, height, info.saw_Adobe_marker == TRUE);
  } else {
    info.out_color_space = JCS_RGB;
    decoded.image = Image(width, height);
    if (!read_jpeg_pixels(reader, decoded.image.rgb.data(), std::size_t{3} * info.image_width)) {
      reader.throw_failure();
    }
  }
  decoded.image = upright(std::move(decoded.image), decoded.exif_orientation);
  return decoded;
}

// ---- PNG -------------------------------------------------------------------------------------

/// libpng's state; see JpegReader.
struct PngReader {
  png_structp png = nullptr;
  png_infop info = nullptr;
  std::string_view rest;
  std::array<char, 200> failure = {};

  PngReader() = default;
  ~PngReader() { png_destroy_read_struct(&png, &info, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  [[noreturn]] void throw_failure() const {
    throw DataError("damaged PNG: " + std::string(failure.data()));
  }
};

extern "C" {

/// Of errors and warnings alike: with the chunks left out that do not concern the pixels, what
/// libpng warns of is damage.
void on_png_failure(png_structp png, png_const_charp message) {
  auto& reader = *static_cast<PngReader*>(png_get_error_ptr(png));
  const std::size_t length = std::min(std::strlen(message), reader.failure.size() - 1);
  std::copy_n(message, length, reader.failure.begin());
  reader.failure[length] = '\0';
  png_longjmp(png, 1);
}

void on_png_read(png_structp png, png_bytep target, std::size_t size) {
  auto& reader = *static_cast<PngReader*>(png_get_io_ptr(png));
  if (reader.rest.size() < size) png_error(png, "it ends too early");
  std::memcpy(target, reader.rest.data(), size);
  reader.rest.remove_prefix(size);
}

}  // extern "C"

/// Asks for 8-bit RGB or RGBA, whatever the file has.
bool read_png_header(PngReader& reader) {
  if (setjmp(png_jmpbuf(reader.png)) != 0) return false;
  png_set_read_fn(reader.png, &reader, on_png_read);
  // -1: all chunks but those that the pixels need. Profiles that libpng dislikes are common.
  png_set_keep_unknown_chunks(reader.png, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
  png_read_info(reader.png, reader.info);
  png_set_expand(reader.png);
  png_set_scale_16(reader.png);
  png_set_gray_to_rgb(reader.png);
  png_set_interlace_handling(reader.png);
  png_read_update_info(reader.png, reader.info);
  return true;
}

bool read_png_pixels(PngReader& reader, png_bytepp rows) {
  if (setjmp(png_jmpbuf(reader.png)) != 0) return false;
  png_read_image(reader.png, rows);
  png_read_end(reader.png, reader.info);  // without the info it passes over all that follows
  return true;
}

DecodedImage decode_png(std::string_view file) {
  DecodedImage decoded;
  // The size comes before the checksums, so that a bomb is not read through to be refused.
  if (file.size() >= 24 && file.substr(12, 4) == "IHDR") {
    require_size(big_endian_word(file.substr(16)), big_endian_word(file.substr(20)));
  }
  for (const PngChunk& chunk : png_chunks(file)) {
    if (chunk.type == "acTL" && chunk.data.size() >= 4 && big_endian_word(chunk.data) != 1) {
      refuse_animation("PNG");
    }
    if (chunk.type == "eXIf") decoded.exif_orientation = exif_orientation(chunk.data);
  }

  PngReader reader;
  reader.rest = file;
  reader.png =
      png_create_read_struct(PNG_LIBPNG_VER_STRING, &reader, on_png_failure, on_png_failure);
  if (reader.png != nullptr) reader.info = png_create_info_struct(reader.png);
  if (reader.info == nullptr) throw InternalError("libpng cannot be started");
  if (!read_png_header(reader)) reader.throw_failure();

  const std::size_t height = png_get_image_height(reader.png, reader.info);
  const std::size_t width = png_get_image_width(reader.png, reader.info);
  const std::size_t channels = png_get_channels(reader.png, reader.info);
  const std::size_t stride = png_get_rowbytes(reader.png, reader.info);
  if ((channels != 3 && channels != 4) || stride != channels * width) {
    throw InternalError("libpng did not make 8-bit RGB of a PNG");
  }
  Bytes pixels(stride * height);
  std::vector<png_bytep> rows(height);
  for (std::size_t y = 0; y < height; ++y) rows[y] = pixels.data() + y * stride;
  if (!read_png_pixels(reader, rows.data())) reader.throw_failure();
  if (channels == 4) {
    decoded.image = without_alpha(pixels, static_cast<int>(width), static_cast<int>(height));
  } else {
    decoded.image.width_px = static_cast<int>(width);
    decoded.image.height_px = static_cast<int>(height);
    decoded.image.rgb = std::move(pixels);
  }
  decoded.image = upright(std::move(decoded.image), decoded.exif_orientation);
  return decoded;
}

// ---- WebP ------------------------------------------------------------------------------------

std::size_t little_endian_word(std::string_view bytes) {
  std::size_t value = 0;
  for (std::size_t i = 4; i-- > 0;) value = (value << 8U) | static_cast<std::uint8_t>(bytes[i]);
  return value;
}

bool is_webp(std::string_view file) {
  return file.size() >= 12 && file.starts_with("RIFF") && file.substr(8, 4) == "WEBP";
}

/// The data of the first chunk of this type in a WebP file, or nothing.
/// @throws DataError if the file or a chunk ends too early.
std::string_view webp_chunk(std::string_view file, std::string_view type) {
  constexpr std::size_t kFrameBytes = 8;  // type, length
  const std::size_t riff_bytes = little_endian_word(file.substr(4));
  if (file.size() - kFrameBytes < riff_bytes || riff_bytes < 4) {
    throw DataError("truncated: the WebP is shorter than its header says");
  }
  std::string_view rest = file.substr(12, riff_bytes - 4);
  while (rest.size() >= kFrameBytes) {
    const std::size_t length = little_endian_word(rest.substr(4));
    if (rest.size() - kFrameBytes < length) {
      throw DataError("damaged WebP: a chunk is longer than the file");
    }
    if (rest.substr(0, 4) == type) return rest.substr(kFrameBytes, length);
    rest.remove_prefix(std::min(rest.size(), kFrameBytes + length + length % 2));
  }
  return {};
}

[[noreturn]] void throw_webp_failure(VP8StatusCode status) {
  switch (status) {
    case VP8_STATUS_NOT_ENOUGH_DATA:
    case VP8_STATUS_SUSPENDED:
      throw DataError("truncated: the data of the WebP end too early");
    case VP8_STATUS_OUT_OF_MEMORY:
      throw std::bad_alloc();
    case VP8_STATUS_UNSUPPORTED_FEATURE:
      throw DataError("a WebP of a kind that libwebp cannot read");
    default:
      throw DataError("damaged WebP: libwebp cannot decode it");
  }
}

DecodedImage decode_webp(std::string_view file) {
  DecodedImage decoded;
  const std::string_view exif = webp_chunk(file, "EXIF");
  if (!exif.empty()) decoded.exif_orientation = exif_orientation(exif);

  WebPDecoderConfig config;
  if (WebPInitDecoderConfig(&config) == 0) throw InternalError("libwebp has another version");
  VP8StatusCode status = WebPGetFeatures(unsigned_bytes(file), file.size(), &config.input);
  if (status != VP8_STATUS_OK) throw_webp_failure(status);
  if (config.input.has_animation != 0) refuse_animation("WebP");
  const int width = config.input.width;
  const int height = config.input.height;
  require_size(static_cast<std::uint64_t>(width), static_cast<std::uint64_t>(height));

  const std::size_t stride = std::size_t{4} * static_cast<std::size_t>(width);
  Bytes rgba(stride * static_cast<std::size_t>(height));
  config.output.colorspace = MODE_RGBA;
  config.output.is_external_memory = 1;
  config.output.u.RGBA.rgba = rgba.data();
  config.output.u.RGBA.stride = static_cast<int>(stride);
  config.output.u.RGBA.size = rgba.size();
  status = WebPDecode(unsigned_bytes(file), file.size(), &config);
  WebPFreeDecBuffer(&config.output);
  if (status != VP8_STATUS_OK) throw_webp_failure(status);
  decoded.image = upright(without_alpha(rgba, width, height), decoded.exif_orientation);
  return decoded;
}

// ---- Which -----------------------------------------------------------------------------------

[[noreturn]] void refuse_format(std::string_view file) {
  const auto has_at = [file](std::size_t position, std::string_view text) {
    return file.size() >= position && file.substr(position).starts_with(text);
  };
  if (file.empty()) throw DataError("the file is empty");
  std::string what = "no picture in a format that is read here";
  if (has_at(0, "GIF8")) what = "a GIF";
  if (has_at(0, "BM")) what = "a BMP";
  if (has_at(0, std::string_view("II*\0", 4)) || has_at(0, std::string_view("MM\0*", 4))) {
    what = "a TIFF or a camera's raw file";
  }
  if (has_at(4, "ftypavi")) what = "an AVIF";
  if (has_at(4, "ftyphei") || has_at(4, "ftypmif1")) what = "a HEIC file";
  if (has_at(0, "%PDF")) what = "a PDF";
  throw DataError(what + ", whatever its name says; save it as JPEG, PNG or WebP");
}

/// read_file, whose complaints about the file's kind begin with the path: ours are shown beside it.
std::string read_picture_file(const std::filesystem::path& path) {
  try {
    return read_file(path, kMaxFileBytes);
  } catch (const DataError& error) {
    const std::string prefix = path.string() + ": ";
    const std::string_view message = error.what();
    if (!message.starts_with(prefix)) throw;
    throw DataError(std::string(message.substr(prefix.size())));
  }
}

}  // namespace

DecodedImage decode_image(const std::filesystem::path& path) {
  const std::string file = read_picture_file(path);
  if (file.starts_with(kJpegSignature)) return decode_jpeg(file);
  if (file.starts_with(kPngSignature)) return decode_png(file);
  if (is_webp(file)) return decode_webp(file);
  refuse_format(file);
}

}  // namespace sdx
