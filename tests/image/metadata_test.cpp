#include "sdx/image/metadata.h"

#include <string>

#include "sdx/util/error.h"
#include "sdx/util/json.h"
#include "support/image_files.h"
#include "support/temp_folder.h"
#include "support/throws.h"

#include "support/catch.h"

using namespace sdx;
using namespace sdx::test;

namespace fs = std::filesystem;

namespace {

/// Pictures that Pillow and piexif wrote: scripts/parity/make_metadata.py.
const fs::path kFixtures = fs::path(SDX_TEST_DATA) / "metadata";

constexpr std::uint32_t kHuge = 0xF0000000;

std::string make_comment(const std::string& code, const std::string& text) {
  return code + std::string(8 - code.size(), '\0') + text;
}

struct ExifOptions {
  bool big_endian = true;
  std::uint32_t pointer = 26;     ///< where the EXIF directory is said to be
  std::uint32_t entries = 1;      ///< how many entries it is said to have
  std::uint32_t length_more = 0;  ///< how much longer the comment is said to be
  std::uint32_t offset = 44;      ///< where the comment is said to be
};

/// A TIFF block with a UserComment, or with lies about it.
std::string comment_block(const std::string& comment, const ExifOptions& options = {}) {
  const auto number = [&options](std::uint32_t value, int count) {
    return number_bytes(value, count, options.big_endian);
  };
  return std::string(options.big_endian ? "MM" : "II") + number(42, 2) + number(8, 4) +
         number(1, 2) + number(0x8769, 2) + number(4, 2) + number(1, 4) +
         number(options.pointer, 4) + number(0, 4) + number(options.entries, 2) +
         number(0x9286, 2) + number(7, 2) +
         number(static_cast<std::uint32_t>(comment.size()) + options.length_more, 4) +
         number(options.offset, 4) + number(0, 4) + comment;
}

std::string webp_with(const std::string& exif) {
  constexpr int kExifFlag = 8;
  return extended_webp(8, 8, kExifFlag,
                       webp_image_chunk(webp_bytes(busy_image(8, 8))) + riff_chunk("EXIF", exif));
}

std::string jpeg_with(const std::string& segment) {
  std::string jpeg = jpeg_bytes(busy_image(8, 8));
  return jpeg.insert(
      2,
      "\xFF\xE1" + number_bytes(static_cast<std::uint32_t>(segment.size() + 2), 2, true) + segment);
}

std::optional<std::string> parameters_in(const std::string& bytes) {
  const TempFolder folder;
  return read_parameters(folder.file("picture", bytes));
}

std::optional<std::string> parameters_in_exif(const std::string& block) {
  const auto in_webp = parameters_in(webp_with(block));
  CHECK(parameters_in(webp_with(std::string("Exif\0\0", 6) + block)) == in_webp);
  CHECK(parameters_in(jpeg_with(std::string("Exif\0\0", 6) + block)) == in_webp);
  return in_webp;
}

/// Why the bytes are refused; the path is named.
std::string catch_refusal(const std::string& bytes) {
  const TempFolder folder;
  const fs::path path = folder.file("picture", bytes);
  const std::string message = catch_message<DataError>([&] { read_parameters(path); });
  CHECK(message.starts_with(path.string() + ": "));
  return message;
}

}  // namespace

TEST_CASE("image: the parameters of other programs' pictures are read", "[image]") {
  const Json expected = read_json_file(kFixtures / "expected.json");
  for (const std::string name :
       {"a1111.png", "a1111.jpg", "a1111.webp", "little_endian.jpg", "little_endian.webp"}) {
    INFO(name);
    CHECK(read_parameters(kFixtures / name) == expected["text"].get<std::string>());
  }
  CHECK(read_parameters(kFixtures / "ascii.jpg") == expected["plain_text"].get<std::string>());
  for (const std::string name : {"plain.png", "plain.jpg", "plain.webp"}) {
    INFO(name);
    CHECK(read_parameters(kFixtures / name) == std::nullopt);
  }
}

TEST_CASE("image: a UserComment is read in every code", "[image]") {
  for (const bool big_endian : {true, false}) {
    ExifOptions options;
    options.big_endian = big_endian;
    const auto read = [&options](const std::string& code, const std::string& text) {
      return parameters_in_exif(comment_block(make_comment(code, text), options));
    };
    CHECK(read("UNICODE", std::string("\0a\0b", 4)) == "ab");
    CHECK(read("UNICODE", std::string("a\0b\0", 4)) == "ab");
    CHECK(read("UNICODE", std::string("\xFE\xFF\x6F\x22", 4)) == "漢");
    CHECK(read("UNICODE", std::string("\xFF\xFE\x22\x6F", 4)) == "漢");
    // Nothing tells the order but the block's own.
    CHECK(read("UNICODE", big_endian ? "\x6F\x22" : "\x22\x6F") == "漢");
    CHECK(read("UNICODE", std::string("\0a\0\0\0\0", 6)) == "a");
    CHECK(read("ASCII", std::string("a b\0\0", 5)) == "a b");
    CHECK(read("ASCII", "Grüße") == "Grüße");
    CHECK(read("", "a") == "a");
    CHECK(read("JIS", "a") == std::nullopt);
    CHECK(read("UNICODE", "") == std::nullopt);
    CHECK(read("ASCII", "   ") == std::nullopt);  // as cameras leave it
  }
}

TEST_CASE("image: damaged UTF-16 is mended", "[image]") {
  const auto read = [](const std::string& text) {
    return parameters_in_exif(comment_block(make_comment("UNICODE", text)));
  };
  CHECK(read(std::string("\0a\xD8\x3D\0b", 6)) == "a\uFFFDb");
  CHECK(read(std::string("\0a\xDE\x00\0b", 6)) == "a\uFFFDb");
  CHECK(read(std::string("\0a\0b\xD8\x3D", 6)) == "ab\uFFFD");
  CHECK(read(std::string("\0a\0b\0", 5)) == "ab\uFFFD");
  CHECK(read(std::string("\0a\0\0\0b", 6)) == "a\uFFFDb");
}

TEST_CASE("image: EXIF data without a comment have none", "[image]") {
  CHECK(parameters_in_exif(exif_block(6)) == std::nullopt);
  ExifOptions none;
  none.entries = 0;
  CHECK(parameters_in_exif(comment_block("", none)) == std::nullopt);
  CHECK(parameters_in_exif(comment_block("1234567")) == std::nullopt);
}

TEST_CASE("image: EXIF data that lie are refused", "[image]") {
  const std::string comment = make_comment("ASCII", "a prompt");
  const auto refused = [](const std::string& block) {
    return contains(catch_refusal(webp_with(block)), "damaged EXIF data") &&
           contains(catch_refusal(jpeg_with(std::string("Exif\0\0", 6) + block)),
                    "damaged EXIF data");
  };
  const std::string whole = comment_block(comment);
  CHECK(parameters_in_exif(whole) == "a prompt");
  for (std::size_t length = 1; length < whole.size(); ++length) {
    INFO(length << " of " << whole.size() << " bytes");
    CHECK(refused(whole.substr(0, length)));
  }
  ExifOptions options;
  for (const std::uint32_t value : {std::uint32_t{60}, std::uint32_t{1000}, kHuge}) {
    CHECK(refused(comment_block(comment, {.pointer = value})));
    CHECK(refused(comment_block(comment, {.length_more = value})));
    CHECK(refused(comment_block(comment, {.offset = value})));
  }
  CHECK(refused(comment_block(comment, {.entries = 0xFFFF})));
  CHECK(refused("XX" + whole.substr(2)));
  CHECK(refused("MM" + std::string("\0\x2B", 2) + whole.substr(4)));
}

TEST_CASE("image: a directory that points to itself ends", "[image]") {
  // The pointer's own directory has no comment.
  CHECK(parameters_in_exif(comment_block("12345678", {.pointer = 8})) == std::nullopt);
}

TEST_CASE("image: XMP beside EXIF is passed over", "[image]") {
  const std::string exif = std::string("Exif\0\0", 6) + comment_block(make_comment("ASCII", "a"));
  std::string jpeg = jpeg_with(exif);
  const std::string xmp = std::string("http://ns.adobe.com/xap/1.0/\0<x/>", 33);
  jpeg.insert(2,
              "\xFF\xE1" + number_bytes(static_cast<std::uint32_t>(xmp.size() + 2), 2, true) + xmp);
  CHECK(parameters_in(jpeg) == "a");
}

TEST_CASE("image: texts in other entries of EXIF are ComfyUI's", "[image]") {
  const auto number = [](std::uint32_t value, int count) {
    return number_bytes(value, count, true);
  };
  const std::string make = std::string("workflow:{\"a\": 1}\0", 18);
  const std::string model = std::string("prompt:{\"b\": 2}\0", 16);
  const auto block = [&](std::uint32_t length) {
    return "MM" + number(42, 2) + number(8, 4) + number(2, 2) + number(0x010F, 2) + number(2, 2) +
           number(length, 4) + number(38, 4) + number(0x0110, 2) + number(2, 2) + number(16, 4) +
           number(56, 4) + number(0, 4) + make + model;
  };
  const TempFolder folder;
  const auto texts = read_image_texts(folder.file("a", webp_with(block(18))));
  CHECK(texts ==
        std::map<std::string, std::string>{{"prompt", "{\"b\": 2}"}, {"workflow", "{\"a\": 1}"}});
  CHECK(read_image_texts(folder.file("b", jpeg_with(std::string("Exif\0\0", 6) + block(18)))) ==
        texts);
  CHECK(contains(catch_refusal(webp_with(block(kHuge))), "damaged EXIF data"));
}

TEST_CASE("image: all texts of a PNG, by keyword", "[image]") {
  const TempFolder folder;
  const std::string bytes =
      png_bytes(busy_image(4, 4), png_chunk("tEXt", std::string("prompt\0{}", 9)),
                png_chunk("tEXt", std::string("parameters\0a", 12)));
  CHECK(read_image_texts(folder.file("a", bytes)) ==
        std::map<std::string, std::string>{{"parameters", "a"}, {"prompt", "{}"}});
  CHECK(read_image_texts(kFixtures / "plain.jpg").empty());
}

TEST_CASE("image: a text hidden in the transparency is noticed", "[image]") {
  const TempFolder folder;
  CHECK(hides_text(folder.file("a", stealth_png())));
  CHECK(hides_text(folder.file("b", stealth_png("stealth_pngcomp"))));
  CHECK_FALSE(hides_text(folder.file("c", stealth_png("stealth"))));
  CHECK_FALSE(hides_text(folder.file("d", png_bytes(busy_image(16, 16)))));
  CHECK_FALSE(hides_text(folder.file("e", png_bytes(1, 8, kPngRgba, {std::string(4, 'x')}))));
  CHECK_FALSE(hides_text(kFixtures / "plain.jpg"));
  CHECK_THROWS_AS(hides_text(folder.file("f", stealth_png().substr(0, 90))), DataError);
}

TEST_CASE("image: parameters of what is no picture, or a damaged one, are refused", "[image]") {
  CHECK(contains(catch_refusal(""), "empty"));
  CHECK(contains(catch_refusal("Steps: 20, Sampler: Euler"), "no picture"));
  CHECK(contains(catch_refusal("%PDF-1.7"), "a PDF"));
  for (const std::string name : {"a1111.png", "a1111.jpg", "a1111.webp"}) {
    INFO(name);
    const std::string whole = read_bytes(kFixtures / name);
    for (const std::size_t left : {std::size_t{1}, whole.size() / 4, whole.size() / 2}) {
      CHECK_FALSE(catch_refusal(whole.substr(0, whole.size() - left)).empty());
    }
  }
  // A segment and a chunk that are longer than the file.
  std::string jpeg = read_bytes(kFixtures / "a1111.jpg");
  const std::size_t segment = jpeg.find("\xFF\xE1");
  REQUIRE(segment != std::string::npos);
  jpeg.replace(segment + 2, 2, "\xFF\xFF");
  CHECK_FALSE(catch_refusal(jpeg).empty());
  std::string webp = read_bytes(kFixtures / "a1111.webp");
  const std::size_t chunk = webp.find("EXIF");
  REQUIRE(chunk != std::string::npos);
  webp.replace(chunk + 4, 4, "\xF0\xFF\xFF\xFF");
  CHECK(contains(catch_refusal(webp), "longer than the file"));
  CHECK_THROWS_AS(read_parameters(kFixtures / "absent.png"), MissingInputError);
  CHECK_THROWS_AS(read_parameters(kFixtures), DataError);
}
