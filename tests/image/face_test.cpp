#include "sdx/image/face.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sdx/image/decode.h"
#include "sdx/image/transform.h"
#include "sdx/util/error.h"
#include "support/catch.h"
#include "support/image_files.h"
#include "support/temp_folder.h"
#include "support/throws.h"

using namespace sdx;
using namespace sdx::test;

namespace fs = std::filesystem;

namespace {

/// The photographs of the shared test data; says visibly that they are not there.
std::vector<fs::path> portraits() {
  const fs::path folder = fs::path(SDX_SHARED_DATA) / "portraits" / "lisa";
  std::vector<fs::path> files;
  std::error_code absent;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, absent)) {
    files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  if (files.empty()) WARN("skipped 8 portraits: " << folder.string() << " is not there");
  return files;
}

std::optional<FaceFinder> finder() {
  std::optional<FaceFinder> found = FaceFinder::installed();
  if (!found) WARN("skipped: no face cascade is installed (package opencv-data)");
  return found;
}

}  // namespace

TEST_CASE("image: the face of a portrait is found", "[image]") {
  const auto faces = finder();
  const std::vector<fs::path> files = portraits();
  if (!faces || files.empty()) return;
  std::size_t found = 0;
  for (const fs::path& file : files) {
    const Image image = decode_image(file).image;
    const std::vector<Rect> rects = faces->find(image);
    for (const Rect& rect : rects) {
      CHECK(rect.x_px >= 0);
      CHECK(rect.y_px >= 0);
      CHECK(rect.x_px + rect.width_px <= image.width_px);
      CHECK(rect.y_px + rect.height_px <= image.height_px);
    }
    CHECK(std::is_sorted(rects.begin(), rects.end(), [](const Rect& a, const Rect& b) {
      return std::int64_t{a.width_px} * a.height_px > std::int64_t{b.width_px} * b.height_px;
    }));
    if (rects.empty()) {
      WARN("no face found in " << file.filename().string());
      continue;
    }
    // These are portraits: the face is large and near the middle.
    const double middle_x = rects[0].x_px + rects[0].width_px / 2.0;
    const double middle_y = rects[0].y_px + rects[0].height_px / 2.0;
    INFO(file.filename().string() << ": " << rects[0].width_px << " px at " << middle_x << ","
                                  << middle_y << " of " << image.width_px << "x"
                                  << image.height_px);
    CHECK(rects[0].width_px > 0.2 * image.width_px);
    CHECK(std::abs(middle_x / image.width_px - 0.5) < 0.1);
    CHECK(std::abs(middle_y / image.height_px - 0.5) < 0.2);
    ++found;
  }
  CHECK(found == files.size());
}

TEST_CASE("image: of two faces the larger comes first", "[image]") {
  const auto faces = finder();
  const std::vector<fs::path> files = portraits();
  if (!faces || files.empty()) return;
  // One portrait twice: small at the left, large at the right.
  const Image portrait = decode_image(files.front()).image;
  Image both = plain_picture(1200, 800, {128, 128, 128});
  const auto paste = [&both](const Image& part, int left, int top) {
    for (int y = 0; y < part.height_px; ++y) {
      for (int x = 0; x < part.width_px; ++x) {
        set_colour(both, left + x, top + y, colour_at(part, x, y));
      }
    }
  };
  const auto high = [&portrait](int height) {
    return resize(portrait, portrait.width_px * height / portrait.height_px, height);
  };
  const Image large = high(700);
  REQUIRE(large.width_px < 760);
  paste(high(450), 0, 100);
  paste(large, 1200 - large.width_px, 50);
  const std::vector<Rect> found = faces->find(both);
  REQUIRE(found.size() >= 2);
  CHECK(found[0].width_px > found[1].width_px);
  CHECK(found[0].x_px > 1200 - large.width_px);
  CHECK(found[1].x_px < 450);
  const std::vector<Rect> again = faces->find(both);
  REQUIRE(again.size() == found.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    CHECK(again[i].x_px == found[i].x_px);
    CHECK(again[i].y_px == found[i].y_px);
  }
}

TEST_CASE("image: where there is no face none is found", "[image]") {
  const auto faces = finder();
  if (!faces) return;
  CHECK(faces->find(plain_picture(300, 200, {90, 90, 90})).empty());
  CHECK(faces->find(quartered_picture(300, 200)).empty());
  CHECK(faces->find(plain_picture(1, 1, {90, 90, 90})).empty());
  CHECK(faces->find(plain_picture(3000, 1, {90, 90, 90})).empty());
  CHECK(faces->find(Image()).empty());
}

TEST_CASE("image: a face finder can be moved", "[image]") {
  auto faces = finder();
  if (!faces) return;
  FaceFinder moved(std::move(*faces));
  CHECK(moved.find(plain_picture(30, 20, {90, 90, 90})).empty());
}

TEST_CASE("image: what is no cascade is refused with its path", "[image]") {
  const TempFolder folder;
  const std::vector<std::string> contents = {
      "",
      "a text",
      "<?xml version=\"1.0\"?><opencv_storage><a>1</a></opencv_storage>",
      "<?xml version=\"1.0\"?><opencv_storage><cascade type_id=\"opencv-cascade-classifier\">",
      "{\"a\": 1}",
      std::string("\0\1\2", 3)};
  for (const std::string& content : contents) {
    INFO(content);
    const fs::path path = folder.file("cascade.xml", content);
    const std::string message = message_of<DataError>([&] { FaceFinder finder_of_it(path); });
    CHECK(contains(message, path.string()));
  }
  CHECK_THROWS_AS(FaceFinder(folder.path()), DataError);
}

TEST_CASE("image: a missing cascade is missing input", "[image]") {
  const TempFolder folder;
  CHECK_THROWS_AS(FaceFinder(folder.file("no.xml")), MissingInputError);
}
