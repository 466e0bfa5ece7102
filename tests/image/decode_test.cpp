#include "sdx/image/decode.h"

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <vector>

#include "sdx/util/error.h"
#include "support/catch.h"
#include "support/child.h"
#include "support/image_files.h"
#include "support/temp_folder.h"
#include "support/throws.h"

using namespace sdx;
using namespace sdx::test;

namespace fs = std::filesystem;

namespace {

DecodedImage decoded(const std::string& bytes, const std::string& name = "picture.jpg") {
  const TempFolder folder;
  return decode_image(folder.file(name, bytes));
}

/// Why the bytes are refused. The message goes beside a path and must not have it.
std::string catch_refusal(const std::string& bytes) {
  const TempFolder folder;
  const fs::path path = folder.file("picture.jpg", bytes);
  const std::string message = catch_message<DataError>([&] { decode_image(path); });
  CHECK_FALSE(contains(message, "picture.jpg"));
  CHECK_FALSE(contains(message, folder.path().string()));
  return message;
}

void check_quarters(const Image& image, Colour top_left, Colour top_right, Colour bottom_left,
                    Colour bottom_right) {
  const int x = image.width_px / 4;
  const int y = image.height_px / 4;
  constexpr int kTolerance = 12;
  CHECK(is_near(colour_at(image, x, y), top_left, kTolerance));
  CHECK(is_near(colour_at(image, 3 * x, y), top_right, kTolerance));
  CHECK(is_near(colour_at(image, x, 3 * y), bottom_left, kTolerance));
  CHECK(is_near(colour_at(image, 3 * x, 3 * y), bottom_right, kTolerance));
}

bool same(const Image& a, const Image& b) {
  return a.width_px == b.width_px && a.height_px == b.height_px && a.rgb == b.rgb;
}

/// The JPEG with another size in its header.
std::string with_jpeg_size(std::string bytes, std::uint32_t width, std::uint32_t height) {
  const std::size_t frame = bytes.find("\xFF\xC0");
  REQUIRE(frame != std::string::npos);
  bytes.replace(frame + 5, 4, number_bytes(height, 2, true) + number_bytes(width, 2, true));
  return bytes;
}

/// Position of the first byte of a JPEG's compressed data.
std::size_t scan_begin(const std::string& jpeg) {
  const std::size_t marker = jpeg.find("\xFF\xDA");
  REQUIRE(marker != std::string::npos);
  return marker + 2 + static_cast<std::uint8_t>(jpeg[marker + 3]);
}

}  // namespace

// ---- JPEG

TEST_CASE("image: a JPEG is decoded", "[image]") {
  for (const bool progressive : {false, true}) {
    JpegOptions options;
    options.progressive = progressive;
    const DecodedImage result = decoded(jpeg_bytes(quartered_image(64, 32), options));
    CHECK(result.image.width_px == 64);
    CHECK(result.image.height_px == 32);
    CHECK(result.image.rgb.size() == 3 * 64 * 32);
    CHECK(result.exif_orientation == 1);
    check_quarters(result.image, kRed, kGreen, kBlue, kYellow);
  }
}

TEST_CASE("image: the same bytes give the same picture", "[image]") {
  const std::string bytes = jpeg_bytes(busy_image(150, 90));
  CHECK(same(decoded(bytes).image, decoded(bytes, "other.png").image));
}

TEST_CASE("image: each EXIF orientation comes upright", "[image]") {
  // How the stored quarters (red green / blue yellow) lie when the picture is upright; Exif 2.32,
  // tag 0x0112: where the stored 0th row and 0th column are to be seen.
  struct Case {
    int orientation;
    Colour top_left, top_right, bottom_left, bottom_right;
  };
  const std::vector<Case> cases = {
      {1, kRed, kGreen, kBlue, kYellow},  // top, left
      {2, kGreen, kRed, kYellow, kBlue},  // top, right
      {3, kYellow, kBlue, kGreen, kRed},  // bottom, right
      {4, kBlue, kYellow, kRed, kGreen},  // bottom, left
      {5, kRed, kBlue, kGreen, kYellow},  // left, top
      {6, kBlue, kRed, kYellow, kGreen},  // right, top
      {7, kYellow, kGreen, kBlue, kRed},  // right, bottom
      {8, kGreen, kYellow, kRed, kBlue},  // left, bottom
  };
  for (const Case& expected : cases) {
    for (const bool big_endian : {false, true}) {
      INFO("orientation " << expected.orientation);
      JpegOptions options;
      options.orientation = expected.orientation;
      options.big_endian_exif = big_endian;
      const DecodedImage result = decoded(jpeg_bytes(quartered_image(64, 32), options));
      CHECK(result.exif_orientation == expected.orientation);
      const bool lies = expected.orientation >= 5;
      CHECK(result.image.width_px == (lies ? 32 : 64));
      CHECK(result.image.height_px == (lies ? 64 : 32));
      check_quarters(result.image, expected.top_left, expected.top_right, expected.bottom_left,
                     expected.bottom_right);
    }
  }
}

TEST_CASE("image: an impossible EXIF orientation is none", "[image]") {
  for (const int orientation : {9, 255, 65535}) {
    JpegOptions options;
    options.orientation = orientation;
    const DecodedImage result = decoded(jpeg_bytes(quartered_image(64, 32), options));
    CHECK(result.exif_orientation == 1);
    check_quarters(result.image, kRed, kGreen, kBlue, kYellow);
  }
}

TEST_CASE("image: a truncated JPEG is refused at every length", "[image]") {
  for (const bool progressive : {false, true}) {
    JpegOptions options;
    options.progressive = progressive;
    const std::string whole = jpeg_bytes(busy_image(120, 80), options);
    for (const std::size_t length :
         {std::size_t{3}, std::size_t{4}, std::size_t{20}, std::size_t{300}, whole.size() / 10,
          whole.size() / 4, whole.size() / 2, whole.size() * 9 / 10, whole.size() - 3,
          whole.size() - 2, whole.size() - 1}) {
      INFO(length << " of " << whole.size() << " bytes");
      CHECK(catch_refusal(whole.substr(0, length)) ==
            "truncated: the end marker of the JPEG is missing");
    }
    CHECK(decoded(whole).image.width_px == 120);
  }
}

TEST_CASE("image: a JPEG whose end was overwritten is refused", "[image]") {
  // As a download leaves it that was broken off in a file of the full length.
  const std::string whole = jpeg_bytes(busy_image(120, 80));
  CHECK(contains(catch_refusal(whole.substr(0, whole.size() - 2) + std::string(100, '\0')),
                 "truncated"));
  CHECK(contains(
      catch_refusal(whole.substr(0, whole.size() - 2) + std::string(100, 'x') + "\xFF\xD9"),
      "damaged JPEG"));
}

TEST_CASE("image: bytes after the end of a JPEG do no harm", "[image]") {
  // Phones put a second picture or a film there.
  const std::string bytes = jpeg_bytes(quartered_image(64, 32));
  CHECK(same(decoded(bytes + "MPF and more").image, decoded(bytes).image));
}

TEST_CASE("image: a JPEG that is damaged in the middle is refused", "[image]") {
  JpegOptions options;
  options.restart_rows = 1;
  const std::string whole = jpeg_bytes(busy_image(120, 80), options);
  const std::size_t begin = scan_begin(whole);
  const std::size_t middle = begin + (whole.size() - begin) / 2;

  std::string flipped = whole;
  for (std::size_t i = middle; i < middle + 64; ++i)
    flipped[i] = static_cast<char>(flipped[i] ^ 0x55);
  CHECK(contains(catch_refusal(flipped), "damaged JPEG: "));

  std::string ended_early = whole;
  ended_early.replace(middle, 2, "\xFF\xD9");
  CHECK(contains(catch_refusal(ended_early), "damaged JPEG"));
}

TEST_CASE("image: a JPEG with a damaged header is refused", "[image]") {
  std::string bytes = jpeg_bytes(quartered_image(64, 32));
  const std::size_t tables = bytes.find("\xFF\xC4");
  REQUIRE(tables != std::string::npos);
  for (std::size_t i = tables + 5; i < tables + 21; ++i) bytes[i] = '\xFF';  // counts of codes
  CHECK(contains(catch_refusal(bytes), "damaged JPEG"));
}

TEST_CASE("image: a JPEG of thousands of scans is refused", "[image]") {
  const Image picture = busy_image(64, 64);
  const std::string bytes =
      detail::compress_jpeg(64, 64, 3, JCS_RGB, picture.rgb, [](jpeg_compress_struct& info) {
        // Each component in a scan of its own.
        static const jpeg_scan_info kScans[] = {
            {1, {0}, 0, 63, 0, 0}, {1, {1}, 0, 63, 0, 0}, {1, {2}, 0, 63, 0, 0}};
        info.scan_info = kScans;
        info.num_scans = 3;
        return std::string();
      });
  CHECK(decoded(bytes).image.width_px == 64);
  const std::size_t last_scan = bytes.rfind("\xFF\xDA");
  const std::string scan = bytes.substr(last_scan, bytes.size() - 2 - last_scan);
  std::string many = bytes.substr(0, bytes.size() - 2);
  for (int i = 0; i < 600; ++i) many += scan;
  CHECK(contains(catch_refusal(many + "\xFF\xD9"), "too many scans"));
}

TEST_CASE("image: a grey JPEG becomes RGB", "[image]") {
  const Image image = decoded(grey_jpeg_bytes(20, 10, 90)).image;
  CHECK(image.width_px == 20);
  CHECK(image.rgb.size() == 3 * 20 * 10);
  CHECK(is_near(colour_at(image, 10, 5), {90, 90, 90}, 1));
}

TEST_CASE("image: a CMYK JPEG becomes RGB, Adobe's inverted one too", "[image]") {
  constexpr int kTolerance = 3;
  const auto find_colour = [](const std::vector<std::uint8_t>& pixel, J_COLOR_SPACE space,
                              bool adobe) {
    return colour_at(decoded(cmyk_jpeg_bytes(16, 16, pixel, space, adobe)).image, 8, 8);
  };
  // Without Adobe's marker: ink. Cyan, half black, white.
  CHECK(is_near(find_colour({255, 0, 0, 0}, JCS_CMYK, false), {0, 255, 255}, kTolerance));
  CHECK(is_near(find_colour({0, 0, 0, 128}, JCS_CMYK, false), {127, 127, 127}, kTolerance));
  CHECK(is_near(find_colour({0, 0, 0, 0}, JCS_CMYK, false), {255, 255, 255}, kTolerance));
  CHECK(is_near(find_colour({0, 128, 255, 64}, JCS_CMYK, false), {191, 95, 0}, kTolerance));
  // With it: what light is left.
  for (const J_COLOR_SPACE space : {JCS_CMYK, JCS_YCCK}) {
    CHECK(is_near(find_colour({0, 255, 255, 255}, space, true), {0, 255, 255}, kTolerance));
    CHECK(is_near(find_colour({255, 255, 255, 128}, space, true), {128, 128, 128}, kTolerance));
    CHECK(is_near(find_colour({255, 127, 0, 191}, space, true), {191, 95, 0}, kTolerance));
  }
}

// ---- PNG

TEST_CASE("image: a PNG is decoded exactly", "[image]") {
  const Image picture = busy_image(31, 17);
  const DecodedImage result = decoded(png_bytes(picture));
  CHECK(same(result.image, picture));
  CHECK(result.exif_orientation == 1);
}

TEST_CASE("image: each kind of PNG becomes 8-bit RGB", "[image]") {
  SECTION("1-bit grey") {
    const Image image = decoded(png_bytes(4, 1, kPngGrey, {"\x50"})).image;  // 0 1 0 1
    CHECK(image.rgb == std::vector<std::uint8_t>{0, 0, 0, 255, 255, 255, 0, 0, 0, 255, 255, 255});
  }
  SECTION("8-bit grey") {
    CHECK(decoded(png_bytes(1, 8, kPngGrey, {"\x7B"})).image.rgb ==
          std::vector<std::uint8_t>{123, 123, 123});
  }
  SECTION("palette") {
    const std::string palette = png_chunk("PLTE", "abcdef");
    CHECK(decoded(png_bytes(2, 8, kPngPalette, {std::string("\1\0", 2)}, palette)).image.rgb ==
          std::vector<std::uint8_t>{'d', 'e', 'f', 'a', 'b', 'c'});
  }
  SECTION("16-bit RGB: rounded, not cut off") {
    const std::string row("\x01\x00\x80\x80\xFF\xFF", 6);  // 256, 32896, 65535
    CHECK(decoded(png_bytes(1, 16, kPngRgb, {row})).image.rgb ==
          std::vector<std::uint8_t>{1, 128, 255});
    CHECK(decoded(png_bytes(1, 16, kPngRgb, {std::string("\x7F\xFF\x00\xFF\x00\x00", 6)}))
              .image.rgb == std::vector<std::uint8_t>{127, 1, 0});  // 127.5, 0.99, 0
  }
  SECTION("interlaced") {
    // Adam7 of 2×2: pass 1 has pixel (0,0), pass 6 (1,0), pass 7 the second row.
    const std::string raw("\0\1\0\2\0\3\4", 7);
    const std::string bytes = png_header(2, 2, 8, kPngGrey, true) +
                              png_chunk("IDAT", zlib_bytes(raw)) + png_chunk("IEND", "");
    CHECK(decoded(bytes).image.rgb ==
          std::vector<std::uint8_t>{1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4});
  }
}

TEST_CASE("image: what is transparent shows white", "[image]") {
  SECTION("RGBA") {
    const std::string row("\xC8\x64\x00\xFF\xC8\x64\x00\x00\xC8\x64\x00\x80", 12);
    CHECK(decoded(png_bytes(3, 8, kPngRgba, {row})).image.rgb ==
          std::vector<std::uint8_t>{200, 100, 0, 255, 255, 255, 227, 177, 127});
  }
  SECTION("grey with alpha, 16 bits") {
    const std::string row("\x00\x00\x80\x80", 4);  // black, half covered (128.5 of 255)
    CHECK(decoded(png_bytes(1, 16, kPngGreyAlpha, {row})).image.rgb ==
          std::vector<std::uint8_t>{127, 127, 127});
  }
  SECTION("a transparent palette entry") {
    const std::string chunks =
        png_chunk("PLTE", "abcdef") + png_chunk("tRNS", std::string("\0", 1));
    CHECK(decoded(png_bytes(2, 8, kPngPalette, {std::string("\0\1", 2)}, chunks)).image.rgb ==
          std::vector<std::uint8_t>{255, 255, 255, 'd', 'e', 'f'});
  }
}

TEST_CASE("image: EXIF data in a PNG turn it", "[image]") {
  const DecodedImage result =
      decoded(png_bytes(quartered_image(64, 32), png_chunk("eXIf", exif_block(6))));
  CHECK(result.exif_orientation == 6);
  check_quarters(result.image, kBlue, kRed, kYellow, kGreen);
}

TEST_CASE("image: chunks of a PNG that do not concern the pixels are passed over", "[image]") {
  // A colour profile of nonsense: libpng warns of those that Photoshop writes.
  const Image picture = busy_image(9, 9);
  CHECK(same(decoded(png_bytes(picture, png_chunk("iCCP", "nonsense"))).image, picture));
  CHECK(same(decoded(png_bytes(picture, png_chunk("gAMA", "xx"), png_chunk("prVt", "x"))).image,
             picture));
}

TEST_CASE("image: a PNG with a wrong checksum is refused, wherever it is", "[image]") {
  const std::string whole =
      png_bytes(busy_image(20, 20), png_chunk("tEXt", std::string("a\0b", 3)));
  for (const char* const type : {"IHDR", "tEXt", "IDAT", "IEND"}) {
    INFO(type);
    std::string broken = whole;
    const std::size_t position = broken.find(type);
    const std::size_t length = static_cast<std::uint8_t>(broken[position - 1]) +
                               256U * static_cast<std::uint8_t>(broken[position - 2]);
    broken[position + 4 + length] = static_cast<char>(broken[position + 4 + length] ^ 1);
    CHECK(contains(catch_refusal(broken), "the checksum (CRC)"));
  }
  std::string flipped = whole;
  const std::size_t pixels = flipped.find("IDAT") + 40;
  flipped[pixels] = static_cast<char>(flipped[pixels] ^ 1);
  CHECK(contains(catch_refusal(flipped), "the checksum (CRC)"));
}

TEST_CASE("image: a truncated PNG is refused at every length", "[image]") {
  const std::string whole = png_bytes(busy_image(40, 40));
  for (const std::size_t length :
       {std::size_t{8}, std::size_t{20}, std::size_t{33}, std::size_t{40}, whole.size() / 2,
        whole.size() - 12, whole.size() - 1}) {
    INFO(length << " of " << whole.size() << " bytes");
    CHECK(catch_refusal(whole.substr(0, length)) ==
          "truncated: the end marker of the PNG is missing");
  }
}

TEST_CASE("image: a PNG with too few or too many pixels is refused", "[image]") {
  const auto with_rows = [](const std::string& raw) {
    return png_header(2, 2, 8, kPngGrey) + png_chunk("IDAT", zlib_bytes(raw)) +
           png_chunk("IEND", "");
  };
  CHECK(decoded(with_rows(std::string("\0\1\2\0\3\4", 6))).image.rgb.size() == 12);
  CHECK(contains(catch_refusal(with_rows(std::string("\0\1\2\0\3", 5))), "damaged PNG"));
  CHECK(contains(catch_refusal(with_rows(std::string("\0\1\2\0\3\4\5", 7))), "damaged PNG"));
  CHECK(contains(catch_refusal(png_header(2, 2, 8, kPngGrey) + png_chunk("IEND", "")),
                 "damaged PNG"));
  CHECK(contains(catch_refusal(png_header(2, 2, 8, kPngGrey) + png_chunk("IDAT", "nonsense") +
                               png_chunk("IEND", "")),
                 "damaged PNG"));
  CHECK(contains(catch_refusal(png_header(2, 2, 7, kPngGrey) +
                               png_chunk("IDAT", zlib_bytes("xxxxxx")) + png_chunk("IEND", "")),
                 "damaged PNG"));
}

TEST_CASE("image: a PNG with a chunk that must be known and is not is refused", "[image]") {
  CHECK(contains(catch_refusal(png_bytes(busy_image(9, 9), "", png_chunk("NEWS", "x"))),
                 "damaged PNG"));
}

TEST_CASE("image: a PNG that does not begin with its header is refused", "[image]") {
  CHECK(contains(catch_refusal(std::string("\x89PNG\r\n\x1a\n", 8) + png_chunk("IEND", "")),
                 "does not begin with its header"));
}

// ---- WebP

TEST_CASE("image: a WebP is decoded", "[image]") {
  const Image picture = busy_image(33, 21);
  CHECK(same(decoded(webp_bytes(picture)).image, picture));
  const Image lossy = decoded(lossy_webp_bytes(quartered_image(64, 32))).image;
  CHECK(lossy.width_px == 64);
  check_quarters(lossy, kRed, kGreen, kBlue, kYellow);
}

TEST_CASE("image: what is transparent in a WebP shows white", "[image]") {
  const Image image = decoded(rgba_webp_bytes(2, 1, {200, 100, 0, 255, 200, 100, 0, 128})).image;
  CHECK(image.rgb == std::vector<std::uint8_t>{200, 100, 0, 227, 177, 127});
}

TEST_CASE("image: EXIF data in a WebP turn it", "[image]") {
  constexpr int kHasExif = 8;
  const std::string simple = webp_bytes(quartered_image(64, 32));
  const DecodedImage result = decoded(extended_webp(
      64, 32, kHasExif, webp_image_chunk(simple) + riff_chunk("EXIF", exif_block(8, false))));
  CHECK(result.exif_orientation == 8);
  check_quarters(result.image, kGreen, kYellow, kRed, kBlue);
}

TEST_CASE("image: a truncated WebP is refused at every length", "[image]") {
  for (const std::string& whole :
       {webp_bytes(busy_image(40, 40)), lossy_webp_bytes(busy_image(40, 40))}) {
    for (const std::size_t length :
         {std::size_t{12}, std::size_t{20}, std::size_t{30}, whole.size() / 2, whole.size() - 1}) {
      INFO(length << " of " << whole.size() << " bytes");
      CHECK(contains(catch_refusal(whole.substr(0, length)), "truncated"));
    }
  }
}

TEST_CASE("image: a WebP that lies about its length is refused", "[image]") {
  const std::string whole = webp_bytes(busy_image(40, 40));
  // The picture's chunk says more than there is.
  std::string long_chunk = whole;
  long_chunk.replace(16, 4, number_bytes(0x7FFFFFFF, 4, false));
  CHECK(contains(catch_refusal(long_chunk), "damaged WebP"));
  // The file is cut, and its header says so too.
  std::string cut = whole.substr(0, whole.size() / 2);
  cut.replace(4, 4, number_bytes(static_cast<std::uint32_t>(cut.size() - 8), 4, false));
  cut.replace(16, 4, number_bytes(static_cast<std::uint32_t>(cut.size() - 20), 4, false));
  const std::string message = catch_refusal(cut);
  CHECK((contains(message, "truncated") || contains(message, "damaged WebP")));
  CHECK_FALSE(catch_refusal(riff_chunk("RIFF", "WEBP")).empty());
}

// ---- What is refused whatever its format

TEST_CASE("image: animations are refused", "[image]") {
  constexpr int kIsAnimated = 2;
  const std::string simple = webp_bytes(quartered_image(64, 32));
  const std::string frame = std::string(6, '\0') + number_bytes(63, 3, false) +
                            number_bytes(31, 3, false) + number_bytes(100, 3, false) +
                            std::string(1, '\0') + webp_image_chunk(simple);
  const std::string chunks = riff_chunk("ANIM", std::string(6, '\0')) + riff_chunk("ANMF", frame);
  CHECK(contains(catch_refusal(extended_webp(64, 32, kIsAnimated, chunks)), "animated WebP"));

  const auto animated_png = [](std::uint32_t frames) {
    return png_bytes(quartered_image(8, 8),
                     png_chunk("acTL", number_bytes(frames, 4, true) + number_bytes(0, 4, true)));
  };
  CHECK(contains(catch_refusal(animated_png(2)), "animated PNG"));
  CHECK(decoded(animated_png(1)).image.width_px == 8);  // one frame does not move
}

TEST_CASE("image: a bomb is refused by its header", "[image]") {
  const std::string jpeg = with_jpeg_size(jpeg_bytes(quartered_image(64, 32)), 60000, 60000);
  CHECK(catch_refusal(jpeg) ==
        "too large: 60000x60000 pixels; at most 256 megapixels are read. Scale it down: 2000 "
        "pixels a "
        "side are plenty");
  const std::string pixels = png_chunk("IDAT", "x") + png_chunk("IEND", "");
  CHECK(contains(catch_refusal(png_header(100000, 100000, 8, kPngRgb) + pixels), "too large"));
  CHECK(contains(catch_refusal(png_header(0x7FFFFFFF, 0x7FFFFFFF, 8, kPngRgb) + pixels),
                 "too large"));
  // VP8L: a signature byte, then width and height less one in 14 bits each.
  const std::string lossless =
      '\x2F' + number_bytes(16383U | (16383U << 14U), 4, false) + std::string(11, '\0');
  CHECK(contains(catch_refusal(riff_chunk("RIFF", "WEBP" + riff_chunk("VP8L", lossless))),
                 "too large"));
}

TEST_CASE("image: a JPEG that claims more pixels than its bytes can hold is refused", "[image]") {
  const std::string small = jpeg_bytes(quartered_image(64, 32));
  const std::string bytes = std::to_string(small.size());
  CHECK(catch_refusal(with_jpeg_size(small, 15000, 15000)) ==
        "truncated: " + bytes +
            " bytes cannot hold the 15000x15000 pixels that the JPEG claims to "
            "have");
  CHECK(contains(catch_refusal(with_jpeg_size(small, 64000, 1000)), "cannot hold"));
}

TEST_CASE("image: the limit is 64 megapixels, and they are read", "[image]") {
  const std::string pixels = png_chunk("IDAT", "x") + png_chunk("IEND", "");
  CHECK_FALSE(contains(catch_refusal(png_header(8160, 6144, 8, kPngRgb) + pixels), "too large"));
  CHECK_FALSE(contains(catch_refusal(png_header(12800, 5000, 8, kPngRgb) + pixels), "too large"));
  CHECK(contains(catch_refusal(png_header(12801, 5000, 8, kPngRgb) + pixels), "too large"));
  CHECK(contains(catch_refusal(png_header(64000001, 1, 8, kPngRgb) + pixels), "too large"));
}

TEST_CASE("image: a large telephone's JPEG is read at half its size", "[image]") {
  // 108 megapixels of one colour.
  const std::string jpeg = jpeg_bytes(plain_image(12000, 9000, {10, 20, 30}));
  const Image image = decoded(jpeg).image;
  CHECK(image.width_px == 6000);
  CHECK(image.height_px == 4500);
  CHECK(is_near(colour_at(image, 5999, 4499), {10, 20, 30}, 3));
  const std::string larger = with_jpeg_size(jpeg_bytes(quartered_image(64, 32)), 16400, 16400);
  CHECK(contains(catch_refusal(larger), "at most 256 megapixels"));
}

TEST_CASE("image: a picture without pixels is refused", "[image]") {
  const std::string pixels = png_chunk("IDAT", "x") + png_chunk("IEND", "");
  CHECK(contains(catch_refusal(png_header(0, 10, 8, kPngRgb) + pixels), "no pixels"));
  CHECK(contains(catch_refusal(png_header(10, 0, 8, kPngRgb) + pixels), "no pixels"));
}

TEST_CASE("image: a picture of one pixel is a picture", "[image]") {
  const Image picture = plain_image(1, 1, {10, 20, 30});
  CHECK(same(decoded(png_bytes(picture)).image, picture));
  CHECK(same(decoded(webp_bytes(picture)).image, picture));
  CHECK(is_near(colour_at(decoded(jpeg_bytes(picture)).image, 0, 0), {10, 20, 30}, 3));
}

TEST_CASE("image: the signature counts, not the name", "[image]") {
  const Image picture = busy_image(9, 9);
  CHECK(same(decoded(png_bytes(picture), "a.jpg").image, picture));
  CHECK(same(decoded(webp_bytes(picture), "a.txt").image, picture));
}

TEST_CASE("image: what is no picture is refused and called what it is", "[image]") {
  CHECK(catch_refusal("") == "the file is empty");
  CHECK(contains(catch_refusal("This is a text.\n"),
                 "save it as PNG, JPEG, WebP, HEIC, AVIF, TIFF, BMP or GIF"));
  CHECK(contains(catch_refusal("x"), "no picture"));
  CHECK(contains(catch_refusal("GIF89a..."), "GIF"));
  CHECK(contains(catch_refusal("BM, a text about cars"), "no picture"));
  CHECK(contains(catch_refusal(std::string("II*\0....", 8)), "TIFF"));
  CHECK(contains(catch_refusal(std::string("\0\0\0\x18", 4) + "ftypheic...."), "HEIC"));
  CHECK(contains(catch_refusal(std::string("\0\0\0\x18", 4) + "ftypavif...."), "AVIF"));
  CHECK(contains(catch_refusal("\xFF\x0A...."), "a JPEG XL"));
  CHECK(contains(catch_refusal("%PDF-1.7"), "a PDF"));
  CHECK(contains(catch_refusal("RIFF\4\0\0\0WAVE"), "no picture"));
}

TEST_CASE("image: what is no regular file is refused without hanging", "[image]") {
  const TempFolder folder;
  const fs::path fifo = folder.file("picture.jpg");
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  CHECK(catch_message<DataError>([&] { decode_image(fifo); }) ==
        "is a pipe (FIFO), not a regular file");
  CHECK(catch_message<DataError>([&] { decode_image(folder.path()); }) ==
        "is a folder, not a file");
  CHECK(catch_message<DataError>([] { decode_image("/dev/zero"); }) ==
        "is a device, not a regular file");
}

TEST_CASE("image: a file that is far too large is not read", "[image]") {
  const TempFolder folder;
  const fs::path path = folder.file("picture.jpg", "\xFF\xD8\xFF");
  fs::resize_file(path, std::uintmax_t{1} << 40U);  // a hole, not a terabyte
  const std::string message = catch_message<DataError>([&] { decode_image(path); });
  CHECK(contains(message, "larger than"));
  CHECK_FALSE(contains(message, "picture.jpg"));
}

TEST_CASE("image: a missing picture is missing input", "[image]") {
  const TempFolder folder;
  CHECK_THROWS_AS(decode_image(folder.file("no.jpg")), MissingInputError);
  fs::create_symlink("nowhere", folder.file("link.jpg"));
  CHECK_THROWS_AS(decode_image(folder.file("link.jpg")), MissingInputError);
}

TEST_CASE("image: a picture that fails to be read is an I/O error", "[image]") {
  CHECK_THROWS_AS(decode_image("/proc/self/mem"), IoError);
}

TEST_CASE("image: a picture that may not be read is a matter of permission", "[image]") {
  const TempFolder folder;
  const fs::path path = folder.file("picture.png", png_bytes(busy_image(9, 9)));
  fs::permissions(folder.path(), fs::perms(0755));
  fs::permissions(path, fs::perms::none);
  CHECK(run_for_exit_code([&] {
          become_nobody();
          decode_image(path);
          return 0;
        }) == 77);
}

TEST_CASE("image: names with odd letters are names", "[image]") {
  const Image picture = busy_image(9, 9);
  for (const char* const name :
       {"with space.png", "new\nline.png", "$(x).png", "-rf.png", "日本.png"}) {
    CHECK(same(decoded(png_bytes(picture), name).image, picture));
  }
}
