#include "sdx/image/transform.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <vector>

#include "sdx/util/error.h"
#include "support/catch.h"
#include "support/image_files.h"

using namespace sdx;
using namespace sdx::test;

namespace {

std::array<double, 3> compute_mean(const Image& image) {
  std::array<double, 3> sums{};
  for (std::size_t i = 0; i < image.rgb.size(); ++i) sums[i % 3] += image.rgb[i];
  for (double& sum : sums) sum /= static_cast<double>(image.rgb.size() / 3);
  return sums;
}

bool lies_within(const Rect& inner, const Rect& outer) {
  return inner.x_px >= outer.x_px && inner.y_px >= outer.y_px &&
         inner.x_px + inner.width_px <= outer.x_px + outer.width_px &&
         inner.y_px + inner.height_px <= outer.y_px + outer.height_px;
}

}  // namespace

TEST_CASE("image: crop takes the pixels of the area", "[image]") {
  const Image picture = busy_image(20, 10);
  const Image part = crop(picture, {3, 2, 5, 4});
  REQUIRE(part.width_px == 5);
  REQUIRE(part.height_px == 4);
  for (int y = 0; y < 4; ++y) {
    for (int x = 0; x < 5; ++x) {
      CHECK(is_near(colour_at(part, x, y), colour_at(picture, x + 3, y + 2), 0));
    }
  }
  CHECK(crop(picture, {0, 0, 20, 10}).rgb == picture.rgb);
  CHECK(crop(picture, {19, 9, 1, 1}).rgb.size() == 3);
}

TEST_CASE("image: crop refuses an area that is not in the picture", "[image]") {
  const Image picture = busy_image(20, 10);
  for (const Rect& area : std::vector<Rect>{{-1, 0, 5, 5},
                                            {0, -1, 5, 5},
                                            {16, 0, 5, 5},
                                            {0, 6, 5, 5},
                                            {0, 0, 0, 5},
                                            {0, 0, 5, -1},
                                            {1, 1, 0x7FFFFFFF, 1}}) {
    CHECK_THROWS_AS(crop(picture, area), InternalError);
  }
}

TEST_CASE("image: resize keeps the mean", "[image]") {
  // Smooth: of a picture that is noise, no method keeps the mean when it grows.
  Image picture(60, 40);
  for (int y = 0; y < 40; ++y) {
    for (int x = 0; x < 60; ++x)
      set_colour(picture, x, y, {40 + 2 * x, 50 + 3 * y, 60 + x + 2 * y});
  }
  for (const auto& [width, height] : std::vector<std::array<int, 2>>{
           {20, 20}, {30, 13}, {120, 80}, {97, 71}, {30, 80}, {120, 20}}) {
    INFO(width << "x" << height);
    const Image result = resize(picture, width, height);
    CHECK(result.width_px == width);
    CHECK(result.height_px == height);
    REQUIRE(result.rgb.size() == static_cast<std::size_t>(3 * width * height));
    for (std::size_t channel = 0; channel < 3; ++channel) {
      CHECK(std::abs(compute_mean(result)[channel] - compute_mean(picture)[channel]) < 0.6);
    }
  }
}

TEST_CASE("image: shrinking averages areas", "[image]") {
  Image checked(8, 8);
  for (int y = 0; y < 8; ++y) {
    for (int x = 0; x < 8; ++x) {
      if ((x + y) % 2 == 0) set_colour(checked, x, y, {200, 100, 50});
    }
  }
  const Image result = resize(checked, 2, 4);
  for (int y = 0; y < 4; ++y) {
    for (int x = 0; x < 2; ++x) CHECK(is_near(colour_at(result, x, y), {100, 50, 25}, 1));
  }
}

TEST_CASE("image: resize to the same size changes nothing", "[image]") {
  const Image picture = busy_image(20, 10);
  CHECK(resize(picture, 20, 10).rgb == picture.rgb);
}

TEST_CASE("image: an edge stays where it is when a picture grows", "[image]") {
  const Image result = resize(quartered_image(16, 16), 64, 64);
  const auto is_rather = [&result](int x, int y, Colour expected) {
    const auto distance = [&](Colour colour) {
      const Colour found = colour_at(result, x, y);
      return std::abs(found.red - colour.red) + std::abs(found.green - colour.green) +
             std::abs(found.blue - colour.blue);
    };
    for (const Colour colour : {kRed, kGreen, kBlue, kYellow}) {
      if (!is_near(colour, expected, 0) && distance(colour) <= distance(expected)) return false;
    }
    return true;
  };
  // Far from the edge, and beside it.
  for (const auto& [low, high] : std::vector<std::array<int, 2>>{{8, 55}, {30, 33}}) {
    CHECK(is_rather(low, low, kRed));
    CHECK(is_rather(high, low, kGreen));
    CHECK(is_rather(low, high, kBlue));
    CHECK(is_rather(high, high, kYellow));
  }
  CHECK(is_near(colour_at(result, 8, 8), kRed, 1));
}

TEST_CASE("image: resize refuses what has no pixels", "[image]") {
  const Image picture = busy_image(20, 10);
  CHECK_THROWS_AS(resize(picture, 0, 10), InternalError);
  CHECK_THROWS_AS(resize(picture, 10, -1), InternalError);
  CHECK_THROWS_AS(resize(Image(), 10, 10), InternalError);
}

TEST_CASE("image: the largest square lies in the middle", "[image]") {
  const Rect wide = centre_square(100, 40);
  CHECK(wide.x_px == 30);
  CHECK(wide.y_px == 0);
  CHECK(wide.width_px == 40);
  CHECK(wide.height_px == 40);
  const Rect high = centre_square(40, 101);
  CHECK(high.x_px == 0);
  CHECK(high.y_px == 30);
  CHECK(high.width_px == 40);
  const Rect all = centre_square(7, 7);
  CHECK(all.x_px == 0);
  CHECK(all.width_px == 7);
}

TEST_CASE("image: the square of a portrait is about 2.2 faces high, with more room above",
          "[image]") {
  const Rect face{450, 400, 100, 100};
  const Rect square = portrait_square(face, 1000, 1000);
  CHECK(square.width_px == 220);
  CHECK(square.height_px == 220);
  CHECK(square.x_px + square.width_px / 2 == 500);
  const int above = face.y_px - square.y_px;
  const int below = square.y_px + square.height_px - face.y_px - face.height_px;
  CHECK(above > below);
  CHECK(below > 40);
}

TEST_CASE("image: the square of a portrait lies within the picture for every face", "[image]") {
  constexpr int kWidth = 300;
  constexpr int kHeight = 200;
  const Rect picture{0, 0, kWidth, kHeight};
  for (const int side : {1, 10, 60, 89, 90, 91, 92, 150, 200}) {
    for (const int x : {0, 1, (kWidth - side) / 2, kWidth - side - 1, kWidth - side}) {
      for (const int y : {0, 1, (kHeight - side) / 2, kHeight - side - 1, kHeight - side}) {
        if (!lies_within({x, y, side, side}, picture)) continue;
        INFO("face of " << side << " at " << x << "," << y);
        const Rect face{x, y, side, side};
        const Rect square = portrait_square(face, kWidth, kHeight);
        CHECK(square.width_px == square.height_px);
        CHECK(lies_within(square, picture));
        CHECK(lies_within(face, square));
        // Moved first: it is smaller than wanted only where the picture is.
        CHECK(square.width_px == std::min(kHeight, static_cast<int>(std::lround(2.2 * side))));
      }
    }
  }
}

TEST_CASE("image: the square of a portrait lies within a narrow picture", "[image]") {
  const Rect square = portrait_square({2, 50, 36, 36}, 40, 500);
  CHECK(square.width_px == 40);
  CHECK(square.height_px == 40);
  CHECK(square.x_px == 0);
  CHECK(lies_within({2, 50, 36, 36}, square));
  const Rect tiny = portrait_square({0, 0, 1, 1}, 1, 1);
  CHECK(tiny.width_px == 1);
}
