#include <cstdio>  // jpeglib.h needs it and does not include it

#include <jpeglib.h>

#include <array>
#include <csetjmp>
#include <cstdlib>
#include <string>

#include "image/decoders.h"
#include "image/encoders.h"

namespace sdx {
namespace {

constexpr std::size_t kMaxSegmentBytes = 65533;  // the length is 16 bits and counts itself
constexpr std::string_view kXmpPrefix("http://ns.adobe.com/xap/1.0/\0", 29);

/// libjpeg's state; what is said of JpegReader (decode_jpeg.cpp) holds here as well.
struct JpegWriter {
  jpeg_compress_struct info = {};
  jpeg_error_mgr errors = {};
  std::jmp_buf escape = {};
  std::array<char, JMSG_LENGTH_MAX> failure = {};
  unsigned char* bytes = nullptr;
  unsigned long size = 0;

  JpegWriter() = default;
  ~JpegWriter() {
    jpeg_destroy_compress(&info);
    std::free(bytes);
  }
  JpegWriter(const JpegWriter&) = delete;
  JpegWriter& operator=(const JpegWriter&) = delete;
};

extern "C" {

void on_jpeg_write_error(j_common_ptr common) {
  auto& writer = *static_cast<JpegWriter*>(common->client_data);
  common->err->format_message(common, writer.failure.data());
  std::longjmp(writer.escape, 1);
}

/// Warnings end like errors: a picture that libjpeg frowns on is a mistake of ours.
void on_jpeg_write_message(j_common_ptr common, int level) {
  if (level < 0) on_jpeg_write_error(common);
}

}  // extern "C"

void write_app1(jpeg_compress_struct& info, std::string_view segment) {
  if (segment.empty()) return;
  jpeg_write_marker(&info, JPEG_APP0 + 1, unsigned_bytes(segment),
                    static_cast<unsigned>(segment.size()));
}

bool compress(JpegWriter& writer, const Image& image, std::size_t row_bytes, int quality,
              std::string_view exif, std::string_view xmp) {
  jpeg_compress_struct& info = writer.info;
  info.err = jpeg_std_error(&writer.errors);
  writer.errors.error_exit = on_jpeg_write_error;
  writer.errors.emit_message = on_jpeg_write_message;
  info.client_data = &writer;
  if (setjmp(writer.escape) != 0) return false;
  jpeg_create_compress(&info);
  jpeg_mem_dest(&info, &writer.bytes, &writer.size);
  info.image_width = static_cast<JDIMENSION>(image.width_px);
  info.image_height = static_cast<JDIMENSION>(image.height_px);
  info.input_components = 3;
  info.in_color_space = JCS_RGB;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, quality, TRUE);
  info.optimize_coding = TRUE;
  // Colours in full resolution; libjpeg halves them by default.
  info.comp_info[0].h_samp_factor = 1;
  info.comp_info[0].v_samp_factor = 1;
  jpeg_start_compress(&info, TRUE);
  write_app1(info, exif);
  write_app1(info, xmp);
  while (info.next_scanline < info.image_height) {
    // libjpeg does not write to the rows, whatever its type says.
    JSAMPROW row = const_cast<JSAMPROW>(image.rgb.data()) + info.next_scanline * row_bytes;
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  return true;
}

/// The content of an APP1 segment, or nothing where there is no data.
std::string segment(std::string_view prefix, std::string_view data) {
  if (data.empty()) return {};
  if (prefix.size() + data.size() > kMaxSegmentBytes) {
    throw UsageError("the prompt with its settings takes " + std::to_string(data.size()) +
                     " bytes, a JPEG has room for " +
                     std::to_string(kMaxSegmentBytes - prefix.size()) +
                     "; write PNG or WebP, or shorten it");
  }
  return std::string(prefix) + std::string(data);
}

}  // namespace

std::string encode_jpeg(const Image& image, int quality, std::string_view exif,
                        std::string_view xmp) {
  const std::size_t row_bytes = checked_row_bytes(image);
  require_sides(image, JPEG_MAX_DIMENSION, "JPEG");
  const std::string exif_segment = segment(kExifPrefix, exif);
  const std::string xmp_segment = segment(kXmpPrefix, xmp);
  JpegWriter writer;
  if (!compress(writer, image, row_bytes, quality, exif_segment, xmp_segment)) {
    throw InternalError("libjpeg cannot write the picture: " + std::string(writer.failure.data()));
  }
  return {reinterpret_cast<const char*>(writer.bytes), writer.size};
}

}  // namespace sdx
