#include <cstdio>  // jpeglib.h needs it and does not include it

#include <jerror.h>
#include <jpeglib.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstdlib>
#include <string>

#include "image/colour_profile.h"
#include "image/decoders.h"
#include "sdx/util/error.h"

namespace sdx {
namespace {

/// libjpeg's state. Its callbacks leave by longjmp: nothing that has a destructor may be made in
/// the functions that call setjmp, and everything that outlives them is in here.
struct JpegReader {
  jpeg_decompress_struct info = {};
  jpeg_error_mgr errors = {};
  jpeg_progress_mgr progress = {};
  std::jmp_buf escape = {};
  int failure_code = 0;
  std::array<char, JMSG_LENGTH_MAX> failure = {};
  JOCTET* profile = nullptr;
  unsigned profile_size = 0;
  bool is_in_profile = false;  ///< a damaged colour profile is no damage of the picture

  JpegReader() = default;
  ~JpegReader() {
    jpeg_destroy_decompress(&info);
    std::free(profile);
  }
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
  const auto& reader = *static_cast<JpegReader*>(common->client_data);
  if (level < 0 && !reader.is_in_profile) on_jpeg_error(common);
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
  jpeg_save_markers(&info, JPEG_APP0 + 1, 0xFFFF);  // EXIF
  jpeg_save_markers(&info, JPEG_APP0 + 2, 0xFFFF);  // the colour profile
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

/// The colour profile, which may lie in several segments, in `profile`; it stays null without one.
bool read_jpeg_profile(JpegReader& reader) {
  if (setjmp(reader.escape) != 0) return false;
  reader.is_in_profile = true;
  jpeg_read_icc_profile(&reader.info, &reader.profile, &reader.profile_size);
  reader.is_in_profile = false;
  return true;
}

/// The first APP1 segment with EXIF data (XMP is in APP1 as well), or nothing.
std::string exif_segment(const jpeg_decompress_struct& info) {
  for (const jpeg_marker_struct* marker = info.marker_list; marker != nullptr;
       marker = marker->next) {
    const std::string_view data{reinterpret_cast<const char*>(marker->data), marker->data_length};
    if (data.starts_with(kExifPrefix)) return std::string(data);
  }
  return {};
}

/// CMYK by the plain formula: there is no colour profile of the press to go by.
Image from_cmyk(const std::vector<std::uint8_t>& cmyk, int width, int height, bool inverted) {
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

/// A few hundred bytes may claim to be a picture of a gigabyte. Huffman's code takes a bit or more
/// for each block of 8 × 8 values; a sixteenth of that leaves room for components that have fewer.
void require_data(const jpeg_decompress_struct& info, std::size_t size) {
  constexpr std::uint64_t kMostPixelsInByte = std::uint64_t{8} * 64 * 16;
  const std::uint64_t pixels = std::uint64_t{info.image_width} * info.image_height;
  if (info.arith_code || pixels / kMostPixelsInByte <= size) return;
  throw DataError("truncated: " + std::to_string(size) + " bytes cannot hold the " +
                  std::to_string(info.image_width) + "x" + std::to_string(info.image_height) +
                  " pixels that the JPEG claims to have");
}

}  // namespace

DecodedImage decode_jpeg(std::string_view file) {
  JpegReader reader;
  if (!read_jpeg_header(reader, unsigned_bytes(file), file.size())) reader.throw_failure();
  jpeg_decompress_struct& info = reader.info;
  require_size(info.image_width, info.image_height, kMaxJpegMegapixels);
  require_data(info, file.size());
  constexpr std::uint64_t kMostPixels = std::uint64_t{kMaxImageMegapixels} * 1000000;
  if (std::uint64_t{info.image_width} * info.image_height > kMostPixels) {
    info.scale_num = 1;
    info.scale_denom = 2;
  }

  DecodedImage decoded;
  const std::string exif = exif_segment(info);
  if (!exif.empty()) decoded.exif_orientation = exif_orientation(exif);

  if (!read_jpeg_profile(reader)) reader.throw_failure();
  jpeg_calc_output_dimensions(&info);
  const int width = static_cast<int>(info.output_width);
  const int height = static_cast<int>(info.output_height);
  if (info.jpeg_color_space == JCS_CMYK || info.jpeg_color_space == JCS_YCCK) {
    info.out_color_space = JCS_CMYK;
    const std::size_t stride = std::size_t{4} * info.output_width;
    std::vector<std::uint8_t> cmyk(stride * info.output_height);
    if (!read_jpeg_pixels(reader, cmyk.data(), stride)) reader.throw_failure();
    // Adobe's programs store the light that is left instead of the ink, and mark the file.
    decoded.image = from_cmyk(cmyk, width, height, info.saw_Adobe_marker == TRUE);
  } else {
    info.out_color_space = JCS_RGB;
    decoded.image = Image(width, height);
    if (!read_jpeg_pixels(reader, decoded.image.rgb.data(), std::size_t{3} * info.output_width)) {
      reader.throw_failure();
    }
    convert_to_srgb(decoded.image,
                    {reinterpret_cast<const char*>(reader.profile), reader.profile_size});
  }
  return decoded;
}

std::string jpeg_exif(std::string_view file) {
  decode_jpeg(file);
  JpegReader reader;
  if (!read_jpeg_header(reader, unsigned_bytes(file), file.size())) reader.throw_failure();
  return exif_segment(reader.info);
}

}  // namespace sdx
