#include "generation/face_parts.h"

#include <algorithm>
#include <set>

#include "support/image_files.h"

#include "support/catch.h"

using namespace sdx;

namespace {

FaceSettings with_padding(int padding_px, double blur_px = 4) {
  FaceSettings settings;
  settings.padding_px = padding_px;
  settings.blur_px = blur_px;
  return settings;
}

/// The names in words, "-" for a face that has none left.
std::vector<std::string> show(const std::vector<std::optional<std::string>>& named) {
  std::vector<std::string> words;
  for (const auto& name : named) words.push_back(name.value_or("-"));
  return words;
}

using Names = std::vector<std::string>;

bool is_same(const Rect& a, const Rect& b) {
  return a.x_px == b.x_px && a.y_px == b.y_px && a.width_px == b.width_px &&
         a.height_px == b.height_px;
}

Image plain(int width, int height, std::uint8_t value) {
  Image image(width, height);
  std::fill(image.rgb.begin(), image.rgb.end(), value);
  return image;
}

int pixel(const Image& image, int x, int y) {
  return image.rgb[3 * (static_cast<std::size_t>(y) * static_cast<std::size_t>(image.width_px) +
                        static_cast<std::size_t>(x))];
}

}  // namespace

TEST_CASE("face parts: the area is the face with padding, a square within the picture") {
  const ImageSize large{640, 480};
  CHECK(is_same(find_face_area({300, 200, 40, 60}, with_padding(32), large), {258, 168, 124, 124}));
  CHECK(is_same(find_face_area({300, 200, 40, 60}, with_padding(0, 0), large), {290, 200, 60, 60}));
  // Cut off at the corner, and the square moved into the picture.
  CHECK(is_same(find_face_area({5, 3, 40, 40}, with_padding(32), large), {0, 0, 77, 77}));
  CHECK(is_same(find_face_area({600, 450, 40, 30}, with_padding(32), large), {568, 408, 72, 72}));
  // As much of a square as there is.
  CHECK(is_same(find_face_area({20, 20, 40, 40}, with_padding(32), {300, 64}), {0, 0, 92, 64}));
  CHECK(is_same(find_face_area({2, 2, 60, 60}, with_padding(200), {64, 64}), {0, 0, 64, 64}));
  // The soft edge ends within the area: three standard deviations.
  CHECK(is_same(find_face_area({300, 200, 60, 60}, with_padding(0, 4), large), {288, 188, 84, 84}));
  CHECK(is_same(find_face_area({300, 200, 60, 60}, with_padding(10, 5.1), large),
                {284, 184, 92, 92}));
}

TEST_CASE("face parts: a face is small by its share of the picture's area") {
  FaceSettings settings;
  settings.share = 0.25;
  CHECK(is_small_face({0, 0, 49, 50}, settings, {100, 100}));
  CHECK_FALSE(is_small_face({0, 0, 50, 50}, settings, {100, 100}));
  CHECK(is_small_face({0, 0, 50, 50}, settings, {101, 100}));
  settings.share = 0;
  CHECK_FALSE(is_small_face({0, 0, 1, 1}, settings, {100, 100}));
}

TEST_CASE("face parts: names come from the left, to the largest faces") {
  std::vector<Rect> faces = {{300, 0, 50, 50}, {10, 40, 60, 60}, {150, 5, 20, 20}};
  sort_left_to_right(faces);
  CHECK(faces[0].x_px == 10);
  CHECK(faces[1].x_px == 150);
  CHECK(faces[2].x_px == 300);
  CHECK(show(name_left_to_right(faces, {})) == Names{"", "", ""});
  CHECK(show(name_left_to_right(faces, {"Ada"})) == Names{"Ada", "Ada", "Ada"});
  CHECK(show(name_left_to_right(faces, {"Ada", "Ben"})) == Names{"Ada", "-", "Ben"});
  CHECK(show(name_left_to_right(faces, {"Ada", "Ben", "Cleo"})) == Names{"Ada", "Ben", "Cleo"});
  CHECK(show(name_left_to_right(faces, {"Ada", "Ben", "Cleo", "Dora"})) ==
        Names{"Ada", "Ben", "Cleo"});
  CHECK(name_left_to_right({}, {"Ada", "Ben"}).empty());
}

TEST_CASE("face parts: faces are left or right by their middles") {
  std::vector<Rect> faces = {{40, 0, 20, 20}, {20, 0, 100, 100}};
  sort_left_to_right(faces);
  CHECK(faces[0].x_px == 40);  // its middle is at 50, that of the other one at 70
}

TEST_CASE("face parts: the most alike pair is named first") {
  const std::vector<std::string> names = {"Ada", "Ben"};
  const std::vector<std::vector<float>> persons = {{1, 0}, {0, 1}};
  CHECK(show(name_by_likeness({{0, 1}, {1, 0}}, persons, names)) == Names{"Ben", "Ada"});
  // Both are most alike to Ben, the second one more.
  CHECK(show(name_by_likeness({{0.6F, 0.8F}, {0, 1}}, persons, names)) == Names{"Ada", "Ben"});
  CHECK(show(name_by_likeness({{0.6F, 0.8F}, {0, 1}, {0.8F, 0.6F}}, persons, names)) ==
        Names{"-", "Ben", "Ada"});
  CHECK(show(name_by_likeness({{0, 1}}, persons, names)) == Names{"Ben"});
}

TEST_CASE("face parts: the mask is white in the face, black at the area's edge, soft between") {
  const FaceSettings settings = with_padding(32);
  const FacePart part{{300, 200, 60, 60}, {268, 168, 124, 124}, "", 0};
  const Image mask = make_face_mask(part, settings, nullptr);
  REQUIRE(mask.width_px == 124);
  CHECK(pixel(mask, 62, 62) == 255);
  CHECK(pixel(mask, 0, 62) == 0);
  CHECK(pixel(mask, 18, 62) == 0);  // more than three deviations away
  CHECK(pixel(mask, 62, 106) == 0);
  CHECK(std::abs(pixel(mask, 31, 62) - 115) <= 3);  // half a pixel outside
  CHECK(std::abs(pixel(mask, 32, 62) - 140) <= 3);
  for (int x = 1; x < 62; ++x) CHECK(pixel(mask, x, 62) >= pixel(mask, x - 1, 62));
  const Image hard = make_face_mask(part, with_padding(32, 0), nullptr);
  CHECK(pixel(hard, 31, 62) == 0);
  CHECK(pixel(hard, 32, 62) == 255);
  // A face at the picture's edge is new up to it.
  const Image cut = make_face_mask({{0, 0, 60, 60}, {0, 0, 92, 92}, "", 0}, settings, nullptr);
  CHECK(pixel(cut, 0, 0) == 255);
}

TEST_CASE("face parts: what a mask keeps is black in that of a face, too") {
  Image kept = plain(640, 480, 255);
  for (std::size_t y = 0; y < 480; ++y) {
    std::fill_n(kept.rgb.begin() + static_cast<std::ptrdiff_t>(3 * 640 * y), 3 * 330,
                std::uint8_t{0});
  }
  const FacePart part{{300, 200, 60, 60}, {268, 168, 124, 124}, "", 0};
  const Image mask = make_face_mask(part, with_padding(32), &kept);
  CHECK(pixel(mask, 61, 62) == 0);
  CHECK(pixel(mask, 62, 62) == 255);
}

TEST_CASE("face parts: nothing outside the mask changes") {
  const Image before = sdx::test::busy_image(200, 160);
  Image after = before;
  const FacePart part{{80, 60, 40, 40}, {60, 40, 80, 80}, "", 0};
  const Image mask = make_face_mask(part, with_padding(20), nullptr);
  blend_face(after, part.area, plain(128, 128, 200), mask);
  int inside = 0;
  for (int y = 0; y < 160; ++y) {
    for (int x = 0; x < 200; ++x) {
      const bool is_outside =
          x < 60 || x >= 140 || y < 40 || y >= 120 || pixel(mask, x - 60, y - 40) == 0;
      if (is_outside && pixel(after, x, y) != pixel(before, x, y)) FAIL(x << "," << y);
      if (!is_outside && pixel(mask, x - 60, y - 40) == 255) {
        ++inside;
        if (pixel(after, x, y) != 200) FAIL(x << "," << y);
      }
    }
  }
  CHECK(inside > 200);
}

TEST_CASE("face parts: a face's seed follows from the picture's and its number") {
  CHECK(derive_face_seed(7, 0) == derive_face_seed(7, 0));
  std::set<std::uint64_t> seeds = {7};
  for (const std::uint64_t seed : {std::uint64_t{7}, std::uint64_t{8}, ~std::uint64_t{0}}) {
    for (std::size_t number = 0; number < 4; ++number) {
      seeds.insert(derive_face_seed(seed, number));
    }
  }
  CHECK(seeds.size() == 13);
  // Pinned: the seed of a picture means the same in every version.
  CHECK(derive_face_seed(7, 0) == 5567689380686401538ULL);
  CHECK(derive_face_seed(7, 1) == 8541121661362084245ULL);
}
