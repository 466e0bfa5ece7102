#include "sdx/image/write.h"

#include <libexif/exif-data.h>

#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "sdx/image/decode.h"
#include "sdx/image/png.h"
#include "sdx/util/error.h"
#include "support/image_files.h"
#include "support/temp_folder.h"
#include "support/throws.h"

#include "support/catch.h"

using namespace sdx;
using namespace sdx::test;

namespace fs = std::filesystem;

namespace {

constexpr std::array<ImageFormat, 3> kFormats = {ImageFormat::kPng, ImageFormat::kJpeg,
                                                 ImageFormat::kWebp};
const std::string kText = "<Ada>, снег 😀\nNegative prompt: blurry\nSteps: 20, Seed: 1, Size: 8x8";
const std::string kSource = "<Iptc4xmpExt:DigitalSourceType>" +
                            std::string(kTrainedAlgorithmicMedia) +
                            "</Iptc4xmpExt:DigitalSourceType>";

std::string written(const Image& image, const ImageEncoding& encoding,
                    const ImageMetadata& metadata) {
  const TempFolder folder;
  write_image(folder.file("a"), image, encoding, metadata);
  return read_bytes(folder.file("a"));
}

std::size_t number_at(std::string_view bytes, std::size_t position, std::size_t count,
                      bool high_byte_first) {
  std::size_t value = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t place = position + (high_byte_first ? i : count - 1 - i);
    value = 256 * value + static_cast<std::uint8_t>(bytes.at(place));
  }
  return value;
}

struct Part {
  std::string type;
  std::string data;
};

/// The chunks of a WebP, or the segments of a JPEG up to its pixels ("\xE1" and so on), found
/// without the code under test.
std::vector<Part> split_parts(const std::string& file) {
  std::vector<Part> parts;
  if (file.starts_with("RIFF")) {
    for (std::size_t at = 12; at + 8 <= file.size();) {
      const std::size_t length = number_at(file, at + 4, 4, false);
      parts.push_back({file.substr(at, 4), file.substr(at + 8, length)});
      at += 8 + length + length % 2;
    }
    return parts;
  }
  for (std::size_t at = 2; file.substr(at, 2) != "\xFF\xDA";) {
    const std::size_t length = number_at(file, at + 2, 2, true);
    parts.push_back({file.substr(at + 1, 1), file.substr(at + 4, length - 2)});
    at += 2 + length;
  }
  return parts;
}

/// The data of the only part of this type that begins with `prefix`, without that.
std::string part(const std::string& file, const std::string& type, const std::string& prefix) {
  std::vector<std::string> found;
  for (const Part& candidate : split_parts(file)) {
    if (candidate.type == type && candidate.data.starts_with(prefix)) {
      found.push_back(candidate.data.substr(prefix.size()));
    }
  }
  REQUIRE(found.size() == 1);
  return found.front();
}

/// The UserComment in a TIFF block as libexif finds it.
std::string comment_by_libexif(const std::string& block) {
  const std::string prefixed = std::string("Exif\0\0", 6) + block;
  ExifData* const data = exif_data_new();
  exif_data_unset_option(data, EXIF_DATA_OPTION_FOLLOW_SPECIFICATION);
  exif_data_load_data(data, reinterpret_cast<const unsigned char*>(prefixed.data()),
                      static_cast<unsigned>(prefixed.size()));
  const ExifEntry* const entry =
      exif_content_get_entry(data->ifd[EXIF_IFD_EXIF], EXIF_TAG_USER_COMMENT);
  REQUIRE(entry != nullptr);
  CHECK(entry->format == EXIF_FORMAT_UNDEFINED);
  std::string comment(reinterpret_cast<const char*>(entry->data), entry->size);
  exif_data_unref(data);
  return comment;
}

/// Root of the mean squared difference.
double difference(const Image& a, const Image& b) {
  REQUIRE(a.rgb.size() == b.rgb.size());
  double sum = 0;
  for (std::size_t i = 0; i < a.rgb.size(); ++i) {
    sum += (a.rgb[i] - b.rgb[i]) * (a.rgb[i] - b.rgb[i]);
  }
  return std::sqrt(sum / static_cast<double>(a.rgb.size()));
}

}  // namespace

TEST_CASE("image: pictures are written in every format", "[image]") {
  const TempFolder folder;
  const Image picture = quartered_image(64, 48);
  for (const ImageFormat format : kFormats) {
    const fs::path path = folder.file("a" + std::string(file_extension(format)));
    write_image(path, picture, {format}, {kText});
    const Image read = decode_image(path).image;
    CHECK(read.width_px == 64);
    CHECK(read.height_px == 48);
    // WebP halves the colours' resolution, and this picture is all hard edges of colour.
    const double most = format == ImageFormat::kPng ? 1e-9 : format == ImageFormat::kJpeg ? 3 : 10;
    CHECK(difference(read, picture) < most);
    CHECK(read_parameters(path) == kText);
    CHECK(fs::status(path).permissions() == fs::perms(0600));
  }
  CHECK(entries_in(folder.path()) == 3);
}

TEST_CASE("image: a picture's bytes depend on the arguments alone", "[image]") {
  for (const ImageFormat format : kFormats) {
    CHECK(written(busy_image(40, 30), {format}, {kText}) ==
          written(busy_image(40, 30), {format}, {kText}));
  }
}

TEST_CASE("image: the quality can be chosen", "[image]") {
  const Image picture = busy_image(64, 64);
  for (const ImageFormat format : {ImageFormat::kJpeg, ImageFormat::kWebp}) {
    const std::string poor = written(picture, {format, 20}, {});
    CHECK(2 * poor.size() < written(picture, {format, 100}, {}).size());
    const int preset = format == ImageFormat::kJpeg ? 95 : 90;
    CHECK(written(picture, {format, preset}, {}) == written(picture, {format}, {}));
  }
  // At 50 the divisors are those of the JPEG standard's own table, whose first is 16.
  const std::string jpeg = written(picture, {ImageFormat::kJpeg, 50}, {});
  CHECK(part(jpeg, "\xDB", std::string(1, '\0')).front() == 16);
  CHECK_THROWS_AS(written(picture, {ImageFormat::kJpeg, 101}, {}), UsageError);
  CHECK_THROWS_AS(written(picture, {ImageFormat::kWebp, -1}, {}), UsageError);
}

TEST_CASE("image: a JPEG keeps the resolution of colours", "[image]") {
  const std::string frame = part(written(busy_image(32, 32), {ImageFormat::kJpeg}, {}), "\xC0", "");
  // Baseline, 8 bits, 32 × 32, three components of 1 × 1 samples.
  CHECK(frame.substr(0, 6) == std::string("\x08\0\x20\0\x20\x03", 6));
  CHECK(frame[7] == 0x11);
  CHECK(frame[10] == 0x11);
  CHECK(frame[13] == 0x11);
}

TEST_CASE("image: JPEG and WebP hold the parameters as AUTOMATIC1111 writes them", "[image]") {
  // One entry in each directory; the comment lies behind both.
  const std::string expected(
      "MM\0\x2A\0\0\0\x08"
      "\0\x01\x87\x69\0\x04\0\0\0\x01\0\0\0\x1A\0\0\0\0"
      "\0\x01\x92\x86\0\x07\0\0\0\x10\0\0\0\x2C\0\0\0\0"
      "UNICODE\0\0a\x04\x39\xD8\x3D\xDE\x00",
      60);
  const ImageMetadata metadata{"aй😀"};
  const std::string jpeg = written(busy_image(8, 8), {ImageFormat::kJpeg}, metadata);
  const std::string webp = written(busy_image(8, 8), {ImageFormat::kWebp}, metadata);
  CHECK(part(jpeg, "\xE1", std::string("Exif\0\0", 6)) == expected);
  CHECK(part(webp, "EXIF", "") == expected);
  CHECK(comment_by_libexif(expected) == expected.substr(44));
}

TEST_CASE("image: every format says that a model made the picture", "[image]") {
  for (const bool generated : {true, false}) {
    const ImageMetadata metadata{"", generated};
    const TempFolder folder;
    write_image(folder.file("a.png"), busy_image(8, 8), {ImageFormat::kPng}, metadata);
    const auto texts = read_png_texts(folder.file("a.png"));
    CHECK(texts.size() == (generated ? 1 : 0));
    const std::string jpeg = written(busy_image(8, 8), {ImageFormat::kJpeg}, metadata);
    const std::string webp = written(busy_image(8, 8), {ImageFormat::kWebp}, metadata);
    CHECK(contains(jpeg, "DigitalSourceType") == generated);
    CHECK(contains(webp, "DigitalSourceType") == generated);
    if (!generated) continue;
    const std::string& xmp = texts.at("XML:com.adobe.xmp");
    CHECK(contains(xmp, kSource));
    CHECK(part(jpeg, "\xE1", std::string("http://ns.adobe.com/xap/1.0/\0", 29)) == xmp);
    CHECK(part(webp, "XMP ", "") == xmp);
  }
}

TEST_CASE("image: nothing else is in a picture", "[image]") {
  const std::string jpeg = written(busy_image(8, 8), {ImageFormat::kJpeg}, {kText});
  std::string types;
  for (const Part& found : split_parts(jpeg)) types += found.type;
  // JFIF, EXIF, XMP, two tables, the frame, the codes.
  CHECK(types.substr(0, 6) == "\xE0\xE1\xE1\xDB\xDB\xC0");
  CHECK(types.find_first_not_of("\xC4", 6) == std::string::npos);
  types.clear();
  for (const Part& found : split_parts(written(busy_image(8, 8), {ImageFormat::kWebp}, {kText}))) {
    types += found.type;
  }
  CHECK(types == "VP8XVP8 EXIFXMP ");
}

TEST_CASE("image: what a format cannot hold is refused", "[image]") {
  const Image picture = busy_image(8, 8);
  const std::string longest((65533 - 6 - 44 - 8) / 2, 'x');
  for (const ImageFormat format : kFormats) {
    const TempFolder folder;
    const fs::path path = folder.file("a");
    write_image(path, picture, {format}, {longest});
    CHECK(read_parameters(path) == longest);
    CHECK_THROWS_AS(write_image(path, Image(), {format}, {}), InternalError);
    CHECK_THROWS_AS(write_image(folder.path() / "no" / "a", picture, {format}, {}),
                    CannotCreateError);
    if (format == ImageFormat::kJpeg) {
      const std::string message =
          catch_message<UsageError>([&] { write_image(path, picture, {format}, {longest + "x"}); });
      CHECK(contains(message, "PNG"));
      CHECK(read_parameters(path) == longest);
    } else {
      write_image(path, picture, {format}, {longest + longest});
      CHECK(read_parameters(path) == longest + longest);
    }
  }
  CHECK_THROWS_AS(written(Image(65501, 1), {ImageFormat::kJpeg}, {}), UsageError);
  CHECK_THROWS_AS(written(Image(1, 16384), {ImageFormat::kWebp}, {}), UsageError);
}

TEST_CASE("image: parameters that are not UTF-8 are mended in every format", "[image]") {
  for (const ImageFormat format : kFormats) {
    const TempFolder folder;
    write_image(folder.file("a"), busy_image(8, 8), {format},
                {std::string("x\xFF\0y \xED\xA0\x80.", 9)});
    CHECK(read_parameters(folder.file("a")) == "x\uFFFD\uFFFDy \uFFFD\uFFFD\uFFFD.");
  }
}
