#include "sdx/image/format.h"

#include <set>

#include "image/codec.h"
#include "sdx/util/error.h"
#include "support/image_files.h"

#include "support/catch.h"

using sdx::ImageFormat;

TEST_CASE("image: formats have names and endings", "[image]") {
  for (const ImageFormat format : sdx::readable_formats()) {
    CHECK(sdx::find_enum<ImageFormat>(sdx::to_string(format)) == format);
    CHECK(sdx::find_enum<ImageFormat>(sdx::file_extension(format).substr(1)) == format);
  }
  CHECK(sdx::file_extension(ImageFormat::kJpeg) == ".jpg");
  CHECK(sdx::find_enum<ImageFormat>("jpg") == ImageFormat::kJpeg);
  CHECK(sdx::find_enum<ImageFormat>("heif") == ImageFormat::kHeic);
  CHECK_FALSE(sdx::find_enum<ImageFormat>("jxl"));
  CHECK_FALSE(sdx::find_enum<ImageFormat>(""));
}

TEST_CASE("image: each row of the table of formats is complete", "[image]") {
  CHECK(sdx::readable_formats().size() == sdx::kEnumTexts<ImageFormat>.size());
  std::set<ImageFormat> formats;
  std::set<std::string_view> endings;
  for (const sdx::ImageCodec& codec : sdx::image_codecs()) {
    INFO(codec.extension);
    CHECK(formats.insert(codec.format).second);
    CHECK(codec.media_type.starts_with("image/"));
    CHECK(endings.insert(codec.extension).second);
    CHECK(&sdx::codec_for(codec.format) == &codec);
    REQUIRE(codec.has_signature != nullptr);
    REQUIRE(codec.decode != nullptr);
    REQUIRE(codec.read_texts != nullptr);
    CHECK(codec.quality >= 0);
    CHECK(codec.quality <= 100);
    if (codec.encode == nullptr) continue;
    // What it writes, it knows, decodes, and finds the text in; no other row takes it for its own.
    const sdx::Image picture = sdx::test::busy_image(16, 8);
    const std::string file = codec.encode(picture, 90, {"Steps: 3, é", ""});
    CHECK(sdx::signed_format(file.substr(0, sdx::kSignatureBytes)) == codec.format);
    for (const sdx::ImageCodec& other : sdx::image_codecs()) {
      CHECK(other.has_signature(file) == (&other == &codec));
    }
    CHECK(codec.decode(file).image.width_px == 16);
    CHECK(codec.read_texts(file).at("parameters") == "Steps: 3, é");
    CHECK_FALSE(codec.read_texts(codec.encode(picture, 90, {"", "<xmp/>"})).contains("parameters"));
  }
  CHECK_THROWS_AS(sdx::codec_for(static_cast<ImageFormat>(99)), sdx::InternalError);
}

TEST_CASE("image: formats are known by their first bytes", "[image]") {
  CHECK(sdx::signed_format("\xFF\xD8\xFF\xE0") == ImageFormat::kJpeg);
  CHECK(sdx::signed_format("\x89PNG\r\n\x1a\n") == ImageFormat::kPng);
  CHECK(sdx::signed_format("RIFF....WEBPVP8 ") == ImageFormat::kWebp);
  CHECK(sdx::signed_format("....ftypheic") == ImageFormat::kHeic);
  CHECK(sdx::signed_format("....ftypavif") == ImageFormat::kAvif);
  CHECK(sdx::signed_format(std::string_view("MM\0*", 4)) == ImageFormat::kTiff);
  CHECK(sdx::signed_format(std::string_view("BM....\0\0\0\0\x36\0", 12)) == ImageFormat::kBmp);
  CHECK(sdx::signed_format("GIF87a") == ImageFormat::kGif);
  for (const char* other : {"", "\xFF\xD8", "\x89PNG", "RIFF....WAVE", "RIFF....WEB", "GIF88a",
                            "BM............", "....ftypisom", "II*"}) {
    CHECK(sdx::signed_format(other) == std::nullopt);
  }
}
