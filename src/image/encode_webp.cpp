#include <webp/encode.h>
#include <webp/mux.h>

#include <memory>
#include <string>

#include "image/decoders.h"
#include "image/encoders.h"

namespace sdx {
namespace {

struct MuxRelease {
  void operator()(WebPMux* mux) const { WebPMuxDelete(mux); }
};

/// libwebp's picture and what it writes to.
struct WebpWriter {
  WebPPicture picture;
  WebPMemoryWriter output;

  WebpWriter() {
    WebPMemoryWriterInit(&output);
    if (WebPPictureInit(&picture) == 0) throw InternalError("libwebp has another version");
    picture.writer = WebPMemoryWrite;
    picture.custom_ptr = &output;
  }
  ~WebpWriter() {
    WebPPictureFree(&picture);
    WebPMemoryWriterClear(&output);
  }
  WebpWriter(const WebpWriter&) = delete;
  WebpWriter& operator=(const WebpWriter&) = delete;
};

WebPData webp_data(std::string_view bytes) { return {unsigned_bytes(bytes), bytes.size()}; }

void set_chunk(WebPMux& mux, const char* type, std::string_view bytes) {
  if (bytes.empty()) return;
  const WebPData data = webp_data(bytes);
  if (WebPMuxSetChunk(&mux, type, &data, 0) != WEBP_MUX_OK) {
    throw InternalError("libwebp cannot add the metadata");
  }
}

std::string with_metadata(std::string_view file, std::string_view exif, std::string_view xmp) {
  const std::unique_ptr<WebPMux, MuxRelease> mux(WebPMuxNew());
  const WebPData picture = webp_data(file);
  if (mux == nullptr || WebPMuxSetImage(mux.get(), &picture, 0) != WEBP_MUX_OK) {
    throw InternalError("libwebp cannot add the metadata");
  }
  set_chunk(*mux, "EXIF", exif);
  set_chunk(*mux, "XMP ", xmp);
  WebPData assembled = {};
  if (WebPMuxAssemble(mux.get(), &assembled) != WEBP_MUX_OK) {
    throw InternalError("libwebp cannot add the metadata");
  }
  std::string result(reinterpret_cast<const char*>(assembled.bytes), assembled.size);
  WebPDataClear(&assembled);
  return result;
}

}  // namespace

std::string encode_webp(const Image& image, int quality, std::string_view exif,
                        std::string_view xmp) {
  const std::size_t row_bytes = checked_row_bytes(image);
  require_sides(image, WEBP_MAX_DIMENSION, "WebP");
  WebPConfig config;
  if (WebPConfigPreset(&config, WEBP_PRESET_DEFAULT, static_cast<float>(quality)) == 0) {
    throw InternalError("libwebp has another version");
  }
  // Without it, halving the colours' resolution darkens the edges of saturated areas.
  config.use_sharp_yuv = 1;
  WebpWriter writer;
  writer.picture.width = image.width_px;
  writer.picture.height = image.height_px;
  writer.picture.use_argb = 1;  // what sharp YUV starts from
  if (WebPPictureImportRGB(&writer.picture, image.rgb.data(), static_cast<int>(row_bytes)) == 0 ||
      WebPEncode(&config, &writer.picture) == 0) {
    throw InternalError("libwebp cannot write the picture: error " +
                        std::to_string(static_cast<int>(writer.picture.error_code)));
  }
  const std::string_view file(reinterpret_cast<const char*>(writer.output.mem), writer.output.size);
  return exif.empty() && xmp.empty() ? std::string(file) : with_metadata(file, exif, xmp);
}

}  // namespace sdx
