#include "image/codec.h"

#include <array>
#include <map>

#include "image/decoders.h"
#include "image/encoders.h"
#include "image/exif_comment.h"
#include "image/png_chunks.h"
#include "image/text_encoding.h"
#include "sdx/image/metadata.h"
#include "sdx/util/error.h"

namespace sdx {
namespace {

using Texts = std::map<std::string, std::string>;

// ------------------------------------------------------------------------------------------- PNG

bool is_png(std::string_view file) { return file.starts_with(kPngSignature); }

std::string png_file(const Image& image, int, const ImageTexts& texts) {
  Texts chunks;
  if (!texts.parameters.empty()) chunks[kParametersKeyword] = texts.parameters;
  if (!texts.xmp.empty()) chunks[std::string(kPngXmpKeyword)] = texts.xmp;
  return encode_png(image, chunks);
}

// ------------------------------------------------------------------------------ JPEG and WebP:
// EXIF

Texts texts_in(const std::string& exif) { return exif.empty() ? Texts() : exif_texts(exif); }

std::string comment_block(const ImageTexts& texts) {
  return texts.parameters.empty() ? std::string()
                                  : exif_comment_block(sanitised_utf8(texts.parameters));
}

bool is_jpeg(std::string_view file) { return file.starts_with("\xFF\xD8\xFF"); }

Texts jpeg_texts(std::string_view file) { return texts_in(jpeg_exif(file)); }

std::string jpeg_file(const Image& image, int quality, const ImageTexts& texts) {
  return encode_jpeg(image, quality, comment_block(texts), texts.xmp);
}

bool is_webp(std::string_view file) {
  return file.size() >= kSignatureBytes && file.starts_with("RIFF") && file.substr(8, 4) == "WEBP";
}

Texts webp_texts(std::string_view file) { return texts_in(webp_exif(file)); }

std::string webp_file(const Image& image, int quality, const ImageTexts& texts) {
  return encode_webp(image, quality, comment_block(texts), texts.xmp);
}

// ------------------------------------------------------------------------------------------- table

constexpr std::array<ImageCodec, 3> kCodecs = {{
    {ImageFormat::kPng, ".png", is_png, decode_png, png_texts, png_file, 0},
    {ImageFormat::kJpeg, ".jpg", is_jpeg, decode_jpeg, jpeg_texts, jpeg_file, 95},
    {ImageFormat::kWebp, ".webp", is_webp, decode_webp, webp_texts, webp_file, 90},
}};

}  // namespace

std::span<const ImageCodec> image_codecs() { return kCodecs; }

const ImageCodec& codec_for(ImageFormat format) {
  for (const ImageCodec& codec : kCodecs) {
    if (codec.format == format) return codec;
  }
  throw InternalError("a picture format without a row in kCodecs");
}

}  // namespace sdx
