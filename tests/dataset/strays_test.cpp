#include "sdx/dataset/strays.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "support/catch.h"

namespace {

/// Sees the person in a picture's first pixel: a direction in the plane, in degrees; 255 is no
/// face.
class ByFirstPixel : public sdx::IdentityEncoder {
 public:
  std::optional<std::vector<float>> encode(const sdx::Image& image) const override {
    if (image.rgb[0] == 255) return std::nullopt;
    const double angle = image.rgb[0] * std::numbers::pi / 180;
    return std::vector<float>{static_cast<float>(std::cos(angle)),
                              static_cast<float>(std::sin(angle))};
  }
  double same_person_cosine() const override { return 0.9; }  // 26 degrees
};

std::vector<sdx::Portrait> people(const std::vector<std::uint8_t>& degrees) {
  std::vector<sdx::Portrait> portraits(degrees.size());
  for (std::size_t i = 0; i < degrees.size(); ++i) {
    portraits[i].image = sdx::Image(1, 1);
    portraits[i].image.rgb[0] = degrees[i];
  }
  return portraits;
}

std::vector<std::size_t> list_strays(const std::vector<std::uint8_t>& degrees) {
  std::vector<sdx::Portrait> portraits = people(degrees);
  const auto strays = sdx::flag_strays(portraits, ByFirstPixel());
  for (std::size_t i = 0; i < portraits.size(); ++i) {
    CHECK(portraits[i].is_stray == (std::find(strays.begin(), strays.end(), i) != strays.end()));
  }
  return strays;
}

}  // namespace

TEST_CASE("dataset: pictures of someone else are flagged", "[dataset]") {
  CHECK(list_strays({10, 12, 80, 14, 16, 18}) == std::vector<std::size_t>{2});
  CHECK(list_strays({90, 10, 12, 0, 14, 16, 18, 20, 90}) == std::vector<std::size_t>{0, 8});
  CHECK(list_strays({10, 12, 14, 16}).empty());
}

TEST_CASE("dataset: where most pairs are unlike, or few faces are seen, nothing is flagged",
          "[dataset]") {
  CHECK(list_strays({0, 30, 60, 90, 120}).empty());
  CHECK(list_strays({0, 1, 90}).empty());
  CHECK(list_strays({0, 1, 90, 255, 255}).empty());
}

TEST_CASE("dataset: a picture that is not used or shows no face is no stray", "[dataset]") {
  CHECK(list_strays({10, 12, 255, 14, 16, 80}) == std::vector<std::size_t>{5});
  std::vector<sdx::Portrait> portraits = people({10, 12, 80, 14, 16});
  portraits[2].problem = "truncated";
  CHECK(sdx::flag_strays(portraits, ByFirstPixel()).empty());
  CHECK_FALSE(portraits[2].is_stray);
}

TEST_CASE("dataset: an identity that is there already is taken", "[dataset]") {
  std::vector<sdx::Portrait> portraits = people({10, 12, 13, 14, 16});
  portraits[1].identity = {0, 1};
  CHECK(sdx::flag_strays(portraits, ByFirstPixel()) == std::vector<std::size_t>{1});
}
