#include "sdx/image/format.h"

#include "sdx/util/error.h"

#include "support/catch.h"

using sdx::ImageFormat;

TEST_CASE("image: formats have names and endings", "[image]") {
  for (const ImageFormat format : {ImageFormat::kPng, ImageFormat::kJpeg, ImageFormat::kWebp}) {
    CHECK(sdx::parse_image_format(sdx::to_string(format)) == format);
    CHECK(sdx::parse_image_format(sdx::file_extension(format).substr(1)) == format);
  }
  CHECK(sdx::file_extension(ImageFormat::kJpeg) == ".jpg");
  CHECK_THROWS_AS(sdx::parse_image_format("gif"), sdx::UsageError);
  CHECK_THROWS_AS(sdx::parse_image_format(""), sdx::UsageError);
}

TEST_CASE("image: formats are known by their first bytes", "[image]") {
  CHECK(sdx::signed_format("\xFF\xD8\xFF\xE0") == ImageFormat::kJpeg);
  CHECK(sdx::signed_format("\x89PNG\r\n\x1a\n") == ImageFormat::kPng);
  CHECK(sdx::signed_format("RIFF....WEBPVP8 ") == ImageFormat::kWebp);
  for (const char* other : {"", "\xFF\xD8", "\x89PNG", "RIFF....WAVE", "RIFF....WEB", "GIF89a"}) {
    CHECK(sdx::signed_format(other) == std::nullopt);
  }
}
