// Pictures in all formats against what a reference library reads in them; the files and goldens are
// made by scripts/parity/make_images.py.

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "sdx/image/decode.h"
#include "sdx/image/format.h"
#include "sdx/image/metadata.h"
#include "sdx/util/error.h"
#include "support/catch.h"
#include "support/image_files.h"
#include "support/pictures.h"
#include "support/temp_folder.h"
#include "support/throws.h"

using namespace sdx;
using namespace sdx::test;

namespace fs = std::filesystem;

namespace {

const fs::path kImages = fs::path(SDX_SOURCE_DIR) / "tests" / "data" / "images";

/// The files that have a golden, by their names.
std::vector<std::string> list_files() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(kImages)) {
    const std::string name = entry.path().filename().string();
    std::string golden = name + ".golden.png";
    golden[name.rfind('.')] = '_';
    if (fs::exists(kImages / golden)) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

Image read_golden(std::string name) {
  name[name.rfind('.')] = '_';
  return decode_image(kImages / (name + ".golden.png")).image;
}

bool is_same(const Image& a, const Image& b) { return a.rgb == b.rgb; }

std::string catch_refusal(const std::string& bytes) {
  const TempFolder folder;
  return catch_message<DataError>([&] { decode_image(folder.file("a.jpg", bytes)); });
}

}  // namespace

TEST_CASE("image: every format is read as the reference library reads it", "[image]") {
  const std::vector<std::string> files = list_files();
  REQUIRE(files.size() >= 32);
  for (const std::string& file : files) {
    INFO(file);
    const DecodedImage decoded = decode_image(kImages / file);
    // Of a colour, libavif and libheif make RGB that differs by 1 here and there. P3's matrix makes
    // 3 of it.
    const int bound = file.starts_with("p3") && file.ends_with(".avif") ? 3 : 1;
    CHECK(largest_difference(decoded.image, read_golden(file)) <= bound);
  }
}

TEST_CASE("image: a profile changes what is seen, and sRGB's changes no byte", "[image]") {
  const Image plain = decode_image(kImages / "no_profile.jpg").image;
  for (const char* file : {"srgb.jpg", "srgb_table.jpg", "srgb_lcms.jpg"}) {
    INFO(file);
    CHECK(is_same(decode_image(kImages / file).image, plain));
  }
  // The same pixels by the profile of another space are far from them.
  const Image by_profile = decode_image(kImages / "p3.jpg").image;
  CHECK(largest_difference(by_profile, plain) > 20);
  CHECK(is_same(by_profile, decode_image(kImages / "p3_split.jpg").image));
}

TEST_CASE("image: a damaged profile does not keep a picture from being read", "[image]") {
  const Image plain = decode_image(kImages / "no_profile.jpg").image;
  std::string file = read_bytes(kImages / "p3_split.jpg");
  const std::size_t second = file.find("ICC_PROFILE", file.find("ICC_PROFILE") + 1);
  file[second + 12] = '\x07';  // the second part says that it is the seventh of three
  const TempFolder folder;
  CHECK(is_same(decode_image(folder.file("a.jpg", file)).image, plain));
  file = read_bytes(kImages / "p3.jpg");
  file.replace(file.find("acsp"), 4, "nope");
  CHECK(is_same(decode_image(folder.file("b.jpg", file)).image, plain));
}

TEST_CASE("image: a HEIC is turned once", "[image]") {
  // The encoder keeps the EXIF orientation beside the file's own transformation.
  const DecodedImage turned = decode_image(kImages / "turned.heic");
  CHECK(turned.image.width_px == 32);
  CHECK(turned.image.height_px == 48);
  CHECK(turned.exif_orientation == 1);
  CHECK(decode_image(kImages / "turned.tiff").exif_orientation == 6);
}

TEST_CASE("image: an HDR picture is refused, not shown pale", "[image]") {
  const TempFolder folder;
  CHECK(catch_message<DataError>([&] {
          decode_image(kImages / "pq.avif");
        }).starts_with("an HDR picture"));
}

TEST_CASE("image: truncated files of every format are refused", "[image]") {
  const std::vector<std::string> files = {"plain.heic", "alpha.heic", "plain.avif",    "p3.avif",
                                          "rgb16.tiff", "lzw.tiff",   "jpeg.tiff",     "rgb24.bmp",
                                          "rle8.bmp",   "plain.gif",  "interlaced.gif"};
  for (const std::string& file : files) {
    INFO(file);
    const std::string whole = read_bytes(kImages / file);
    REQUIRE(decode_image(kImages / file).image.width_px == 48);
    for (const std::size_t part : {9U, 6U, 3U, 1U}) {
      CHECK_FALSE(catch_refusal(whole.substr(0, whole.size() * part / 10)).empty());
    }
  }
}

TEST_CASE("image: a header that claims too many pixels is refused before they are decoded",
          "[image]") {
  const auto number = [](std::uint32_t value, int count) {
    return number_bytes(value, count, /*big_endian=*/false);
  };
  std::string bmp = read_bytes(kImages / "rgb24.bmp");
  bmp.replace(18, 8, number(50000, 4) + number(50000, 4));
  CHECK(contains(catch_refusal(bmp), "too large: 50000x50000 pixels"));
  bmp.replace(18, 8, number(8000, 4) + number(8000, 4));
  CHECK(contains(catch_refusal(bmp), "truncated"));
  std::string gif = read_bytes(kImages / "plain.gif");
  gif.replace(6, 4, number(60000, 2) + number(60000, 2));
  CHECK(contains(catch_refusal(gif), "too large: 60000x60000 pixels"));
  std::string tiff = read_bytes(kImages / "rgb16.tiff");
  const std::size_t width = tiff.find(std::string("\x00\x01\x03\x00\x01\x00\x00\x00", 8));
  REQUIRE(width != std::string::npos);
  tiff.replace(width + 8, 2, number(60000, 2));
  tiff.replace(width + 12 + 8, 2, number(60000, 2));
  CHECK(contains(catch_refusal(tiff), "too large: 60000x60000 pixels"));
  // The size in a box "ispe": width and height, high bytes first.
  for (const char* file : {"square.heic", "plain.avif"}) {
    INFO(file);
    std::string heif = read_bytes(kImages / file);
    for (std::size_t at = heif.find("ispe"); at != std::string::npos;
         at = heif.find("ispe", at + 1)) {
      heif.replace(at + 8, 8, number_bytes(60000, 4, true) + number_bytes(60000, 4, true));
    }
    CHECK_FALSE(catch_refusal(heif).empty());
    for (std::size_t at = heif.find("ispe"); at != std::string::npos;
         at = heif.find("ispe", at + 1)) {
      heif.replace(at + 8, 8, number_bytes(9000, 4, true) + number_bytes(9000, 4, true));
    }
    CHECK(contains(catch_refusal(heif), "too large: 9000x9000 pixels; at most 64 megapixels"));
  }
}

TEST_CASE("image: a camera's raw file is not taken for its thumbnail", "[image]") {
  // The first folder of a NEF or a DNG says that it is a reduced picture.
  std::string tiff = read_bytes(kImages / "grey16.tiff");
  const std::size_t rows = tiff.find(std::string("\x16\x01\x03\x00", 4));  // RowsPerStrip
  REQUIRE(rows != std::string::npos);
  std::string preview = tiff;
  preview.replace(rows, 12, std::string("\xFE\x00\x04\x00\x01\x00\x00\x00\x01\x00\x00\x00", 12));
  CHECK(catch_refusal(preview).starts_with("a camera's raw file"));
  CHECK(catch_refusal(tiff.replace(8, 2, "CR")).starts_with("a camera's raw file"));
  CHECK(catch_refusal(std::string("IIRO\x08\0\0\0", 8)).starts_with("a camera's raw file"));
}

TEST_CASE("image: in formats that are only read, no text is found, and none is invented",
          "[image]") {
  for (const char* file :
       {"plain.heic", "turned.heic", "plain.avif", "rgb16.tiff", "rgb24.bmp", "plain.gif"}) {
    INFO(file);
    CHECK(read_image_texts(kImages / file).empty());
  }
}
