#include "image/codec.h"

#include <algorithm>
#include <array>
#include <initializer_list>
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

// --------------------------------------------------------------------------------- only read:
// HEIC, AVIF, TIFF, BMP, GIF

/// Files of ISO's base format begin with their brand.
bool has_brand(std::string_view file, std::initializer_list<std::string_view> brands) {
  return file.size() >= kSignatureBytes && file.substr(4, 4) == "ftyp" &&
         std::find(brands.begin(), brands.end(), file.substr(8, 4)) != brands.end();
}

bool is_heic(std::string_view file) {
  return has_brand(
      file, {"heic", "heix", "heim", "heis", "hevc", "hevx", "hevm", "hevs", "mif1", "msf1"});
}

bool is_avif(std::string_view file) { return has_brand(file, {"avif", "avis"}); }

bool is_tiff(std::string_view file) {
  using namespace std::string_view_literals;
  for (const std::string_view start : {"II*\0"sv, "MM\0*"sv, "II+\0"sv, "MM\0+"sv}) {
    if (file.starts_with(start)) return true;
  }
  return false;
}

/// Two letters are not enough to go by; four bytes behind the file's size are always zero.
bool is_bmp(std::string_view file) {
  return file.size() >= kSignatureBytes && file.starts_with("BM") &&
         file.substr(6, 4) == std::string_view("\0\0\0\0", 4);
}

bool is_gif(std::string_view file) {
  return file.starts_with("GIF87a") || file.starts_with("GIF89a");
}

Texts no_texts(std::string_view) { return {}; }

// ------------------------------------------------------------------------------------------- table

constexpr std::array<ImageCodec, 8> kCodecs = {{
    {ImageFormat::kPng, ".png", "image/png", is_png, decode_png, png_texts, png_file, 0},
    {ImageFormat::kJpeg, ".jpg", "image/jpeg", is_jpeg, decode_jpeg, jpeg_texts, jpeg_file, 95},
    {ImageFormat::kWebp, ".webp", "image/webp", is_webp, decode_webp, webp_texts, webp_file, 90},
    {ImageFormat::kHeic, ".heic", "image/heic", is_heic, decode_heic, heic_texts, nullptr, 0},
    {ImageFormat::kAvif, ".avif", "image/avif", is_avif, decode_avif, avif_texts, nullptr, 0},
    {ImageFormat::kTiff, ".tiff", "image/tiff", is_tiff, decode_tiff, no_texts, nullptr, 0},
    {ImageFormat::kBmp, ".bmp", "image/bmp", is_bmp, decode_bmp, no_texts, nullptr, 0},
    {ImageFormat::kGif, ".gif", "image/gif", is_gif, decode_gif, no_texts, nullptr, 0},
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
