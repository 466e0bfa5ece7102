#include "sdx/image/sixel.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "sdx/image/transform.h"
#include "sdx/util/error.h"
#include "support/pictures.h"
#include "support/sixel.h"

#include "support/catch.h"

using sdx::test::largest_difference;
using sdx::test::read_sixel;

namespace {

/// Colours that run over the whole range in both directions.
sdx::Image make_gradient(int width_px, int height_px) {
  sdx::Image image(width_px, height_px);
  std::size_t at = 0;
  for (int y = 0; y < height_px; ++y) {
    for (int x = 0; x < width_px; ++x) {
      image.rgb[at++] = static_cast<std::uint8_t>(255 * x / std::max(width_px - 1, 1));
      image.rgb[at++] = static_cast<std::uint8_t>(255 * y / std::max(height_px - 1, 1));
      image.rgb[at++] = static_cast<std::uint8_t>(255 - 255 * x / std::max(width_px - 1, 1));
    }
  }
  return image;
}

}  // namespace

TEST_CASE("sixel: a terminal decodes the picture, each area in its colour") {
  for (const auto& [width, height] : {std::pair{96, 96}, {100, 61}, {7, 200}, {300, 5}, {1, 1}}) {
    INFO(width << "x" << height);
    const sdx::Image image = make_gradient(width, height);
    const sdx::Image seen = read_sixel(sdx::to_sixel(image));
    REQUIRE(seen.width_px == width);
    REQUIRE(seen.height_px == height);
    // A pixel is off by half a level of each channel and what its neighbours owe.
    CHECK(largest_difference(seen, image) < 64);
    const auto in_large = [](const sdx::Image& one) {
      return resize(one, std::max(one.width_px / 12, 1), std::max(one.height_px / 12, 1));
    };
    if (width >= 96 && height >= 61) {
      CHECK(largest_difference(in_large(seen), in_large(image)) < 8);
    }
  }
}

TEST_CASE("sixel: an area keeps its colour, also one between two levels") {
  for (const auto& rgb : {std::array{100, 60, 200}, {23, 128, 90}, {229, 20, 75}}) {
    sdx::Image image(60, 60);
    for (std::size_t i = 0; i < image.rgb.size(); ++i) {
      image.rgb[i] = static_cast<std::uint8_t>(rgb[i % 3]);
    }
    const sdx::Image seen = read_sixel(sdx::to_sixel(image));
    std::array<double, 3> sums{};
    for (std::size_t i = 0; i < seen.rgb.size(); ++i) sums[i % 3] += seen.rgb[i];
    for (std::size_t c = 0; c < 3; ++c) CHECK(std::abs(sums[c] / 3600 - rgb[c]) < 2);
  }
}

TEST_CASE("sixel: black, white and pure colours are exact, and runs are short") {
  for (const auto& rgb : {std::array{0, 0, 0}, {255, 255, 255}, {255, 0, 0}, {0, 255, 0}}) {
    sdx::Image image(250, 12);
    for (std::size_t i = 0; i < image.rgb.size(); ++i) {
      image.rgb[i] = static_cast<std::uint8_t>(rgb[i % 3]);
    }
    const std::string text = sdx::to_sixel(image);
    CHECK(read_sixel(text).rgb == image.rgb);
    CHECK(text.size() < 60);
  }
  // The whole text of a small one: white over five black rows.
  sdx::Image flag(4, 6);
  std::fill_n(flag.rgb.begin(), 12, std::uint8_t{255});
  CHECK(sdx::to_sixel(flag) == "\x1bPq\"1;1;4;6#0;2;0;0;0#251;2;100;100;100#0!4}$#251!4@\x1b\\");
}

TEST_CASE("sixel: an empty picture is a fault of the caller") {
  CHECK_THROWS_AS(sdx::to_sixel({}), sdx::InternalError);
}
