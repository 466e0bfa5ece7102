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
  return files;
}

const fs::path kYuNetFile =
    fs::path(SDX_SHARED_DATA) / "models" / "face_detection_yunet_2022mar.onnx";

/// The finders that this machine has: the cascade, and YuNet with the shared test data.
std::vector<FaceFinder> finders() {
  std::vector<FaceFinder> found;
  if (auto cascade = FaceFinder::installed()) found.push_back(std::move(*cascade));
  if (fs::exists(kYuNetFile)) found.push_back(FaceFinder::yunet(kYuNetFile));
  return found;
}

std::vector<Rect> boxes(const std::vector<Face>& faces) {
  std::vector<Rect> rects;
  for (const Face& face : faces) rects.push_back(face.box);
  return rects;
}

/// How many of the portraits' faces are found, each checked to be a large one near the middle.
std::size_t count_found(const FaceFinder& finder, const std::vector<fs::path>& files) {
  std::size_t count = 0;
  for (const fs::path& file : files) {
    const Image image = decode_image(file).image;
    const std::vector<Rect> rects = boxes(finder.find(image));
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
    ++count;
  }
  return count;
}

}  // namespace

namespace {

/// The photograph of the repository (tests/data/face/README.md), and where its face is in it.
const fs::path kAstronaut = fs::path(SDX_TEST_DATA) / "face" / "portrait.jpg";

void check_astronaut(const FaceFinder& finder) {
  const Image image = decode_image(kAstronaut).image;
  REQUIRE(image.width_px == 360);
  REQUIRE(image.height_px == 512);
  const std::vector<Face> faces = finder.find(image);
  REQUIRE(faces.size() == 1);
  const Rect& box = faces.front().box;
  INFO(box.width_px << "x" << box.height_px << " at " << box.x_px << "," << box.y_px);
  CHECK(std::abs(box.x_px + box.width_px / 2 - 165) <= 12);
  CHECK(std::abs(box.y_px + box.height_px / 2 - 120) <= 20);
  CHECK(box.width_px >= 70);
  CHECK(box.width_px <= 140);
}

}  // namespace

TEST_CASE("image: the cascade finds the face in the repository's photograph", "[image]") {
  const auto faces = FaceFinder::installed();
  REQUIRE(faces.has_value());
  CHECK(std::string(faces->method()) == "Haar cascade");
  check_astronaut(*faces);
}

TEST_CASE("image: YuNet finds the face in the repository's photograph", "[image][needs-data]") {
  if (!fs::exists(kYuNetFile)) SDX_SKIP("the face detector in shared/data is not here");
  check_astronaut(FaceFinder::yunet(kYuNetFile));
}

TEST_CASE("image: the cascade finds the face of seven portraits of eight", "[image][needs-data]") {
  const std::vector<fs::path> files = portraits();
  const auto faces = FaceFinder::installed();
  if (!faces || files.empty()) SDX_SKIP("the cascade or the photographs are not here");
  CHECK(std::string(faces->method()) == "Haar cascade");
  CHECK(count_found(*faces, files) >= 7);
  for (const Face& face : faces->find(decode_image(files.front()).image)) {
    CHECK_FALSE(face.landmarks.has_value());
  }
}

TEST_CASE("image: YuNet finds the face of eight portraits of eight, with its parts",
          "[image][needs-data]") {
  const std::vector<fs::path> files = portraits();
  if (files.empty() || !fs::exists(kYuNetFile)) SDX_SKIP("shared/data is not here");
  const FaceFinder faces = FaceFinder::yunet(kYuNetFile);
  CHECK(std::string(faces.method()) == "YuNet");
  CHECK(count_found(faces, files) == files.size());
  for (const fs::path& file : files) {
    INFO(file.filename().string());
    const Face face = faces.find(decode_image(file).image).front();
    CHECK(face.score >= 0.9);
    CHECK(face.score <= 1);
    REQUIRE(face.landmarks.has_value());
    const auto& [left_eye, right_eye, nose, left_mouth, right_mouth] = *face.landmarks;
    CHECK(left_eye.x_px < right_eye.x_px);
    CHECK(left_mouth.x_px < right_mouth.x_px);
    CHECK(left_eye.y_px < nose.y_px);
    CHECK(nose.y_px < left_mouth.y_px);
    CHECK(left_eye.x_px > face.box.x_px);
    CHECK(right_mouth.y_px < face.box.y_px + face.box.height_px);
  }
}

TEST_CASE("image: of two faces the larger comes first", "[image][needs-data]") {
  const std::vector<fs::path> files = portraits();
  if (files.empty()) SDX_SKIP("the photographs in shared/data are not here");
  // One portrait twice: small at the left, large at the right.
  const Image portrait = decode_image(files.front()).image;
  Image both = plain_image(1200, 800, {128, 128, 128});
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
  for (const FaceFinder& faces : finders()) {
    INFO(faces.method());
    const std::vector<Rect> found = boxes(faces.find(both));
    REQUIRE(found.size() >= 2);
    CHECK(found[0].width_px > found[1].width_px);
    CHECK(found[0].x_px > 1200 - large.width_px);
    CHECK(found[1].x_px < 450);
    const std::vector<Rect> again = boxes(faces.find(both));
    REQUIRE(again.size() == found.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      CHECK(again[i].x_px == found[i].x_px);
      CHECK(again[i].y_px == found[i].y_px);
    }
  }
}

TEST_CASE("image: a small face is found where a search looks for it", "[image]") {
  Image scene = plain_image(1600, 900, {150, 180, 170});
  const Image photograph = decode_image(kAstronaut).image;
  const Image small = resize(photograph, 130, 185);  // its face has 35 pixels
  for (int y = 0; y < small.height_px; ++y) {
    for (int x = 0; x < small.width_px; ++x) {
      set_colour(scene, 1100 + x, 300 + y, colour_at(small, x, y));
    }
  }
  for (const FaceFinder& faces : finders()) {
    INFO(faces.method());
    CHECK(faces.find(scene).empty());
    const std::vector<Rect> found = boxes(faces.find(scene, {0.9, 0.02, 512, 1280}));
    REQUIRE(found.size() == 1);
    CHECK(std::abs(found[0].x_px + found[0].width_px / 2 - 1160) <= 6);
    CHECK(std::abs(found[0].y_px + found[0].height_px / 2 - 344) <= 8);
    CHECK(faces.find(scene, {0.9, 0.06, 512, 1280}).empty());
    // A picture that is too small to see anything in is searched at a larger size.
    const Image tiny = resize(crop(scene, {1000, 250, 320, 270}), 160, 135);
    CHECK(boxes(faces.find(tiny, {0.9, 0.02, 512, 1280})).size() == 1);
  }
}

TEST_CASE("image: YuNet finds faces of the confidence that a search asks for",
          "[image][needs-data]") {
  if (!fs::exists(kYuNetFile)) SDX_SKIP("the face detector in shared/data is not here");
  const FaceFinder faces = FaceFinder::yunet(kYuNetFile);
  const Image photograph = decode_image(kAstronaut).image;
  const Image blurred = resize(resize(photograph, 36, 51), 360, 512);
  for (const Face& face : faces.find(blurred, {0.05, 0.1, 1, 640})) CHECK(face.score >= 0.05);
  CHECK_FALSE(faces.find(blurred, {0.05, 0.1, 1, 640}).empty());
  CHECK(faces.find(blurred, {1, 0.1, 1, 640}).empty());
  CHECK(faces.find(photograph).size() == 1);  // the next search is as strict as ever
}

TEST_CASE("image: where there is no face none is found", "[image]") {
  for (const FaceFinder& faces : finders()) {
    INFO(faces.method());
    CHECK(faces.find(plain_image(300, 200, {90, 90, 90})).empty());
    CHECK(faces.find(quartered_image(300, 200)).empty());
    CHECK(faces.find(plain_image(65, 97, {90, 90, 90})).empty());
    CHECK(faces.find(plain_image(1, 1, {90, 90, 90})).empty());
    CHECK(faces.find(plain_image(3000, 1, {90, 90, 90})).empty());
    CHECK(faces.find(Image()).empty());
  }
}

TEST_CASE("image: a face finder can be moved", "[image]") {
  auto faces = FaceFinder::installed();
  if (!faces) SDX_SKIP("no face cascade is installed (package opencv-data)");
  FaceFinder moved(std::move(*faces));
  CHECK(moved.find(plain_image(30, 20, {90, 90, 90})).empty());
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
    const std::string message = catch_message<DataError>([&] { FaceFinder::cascade(path); });
    CHECK(contains(message, path.string()));
  }
  CHECK_THROWS_AS(FaceFinder::cascade(folder.path()), DataError);
}

TEST_CASE("image: what is no YuNet is refused with its path", "[image]") {
  const TempFolder folder;
  for (const std::string& content :
       {std::string(), std::string("a text"), std::string(3000, 'x')}) {
    for (const char* name : {"model.onnx", "model.bin"}) {
      const fs::path path = folder.file(name, content);
      const std::string message = catch_message<DataError>([&] { FaceFinder::yunet(path); });
      CHECK(contains(message, path.string()));
      CHECK(contains(message, "YuNet"));
      CHECK_FALSE(contains(message, "\n"));
    }
  }
  CHECK_THROWS_AS(FaceFinder::yunet(folder.path()), DataError);
}

TEST_CASE("image: a missing cascade or YuNet is missing input", "[image]") {
  const TempFolder folder;
  CHECK_THROWS_AS(FaceFinder::cascade(folder.file("no.xml")), MissingInputError);
  CHECK_THROWS_AS(FaceFinder::yunet(folder.file("no.onnx")), MissingInputError);
  CHECK_THROWS_AS(FaceFinder::installed(folder.file("no.onnx")), MissingInputError);
}

TEST_CASE("image: YuNet is taken from the option, the variable, the bundle or the data folder",
          "[image][needs-data]") {
  if (!fs::exists(kYuNetFile)) SDX_SKIP("the face detector in shared/data is not here");
  const TempFolder folder;
  const auto method = [](const fs::path& file, const fs::path& bundle) {
    const auto finder = FaceFinder::installed(file, bundle);
    return std::string(finder ? finder->method() : "none");
  };
  CHECK(method({}, folder.path()) != "YuNet");
  CHECK(method(kYuNetFile, {}) == "YuNet");
  ::setenv("SDX_FACE_DETECTOR", kYuNetFile.c_str(), 1);
  CHECK(method({}, {}) == "YuNet");
  ::setenv("SDX_FACE_DETECTOR", "/nowhere.onnx", 1);
  CHECK_THROWS_AS(FaceFinder::installed(), MissingInputError);
  ::unsetenv("SDX_FACE_DETECTOR");
  fs::copy(kYuNetFile, folder.path() / "face_detector.onnx");
  CHECK(method({}, folder.path()) == "YuNet");
  fs::create_directory(folder.path() / "face");
  fs::rename(folder.path() / "face_detector.onnx", folder.path() / "face" / "face_detector.onnx");
  ::setenv("SDX_DATA", folder.path().c_str(), 1);
  CHECK(method({}, {}) == "YuNet");
  ::unsetenv("SDX_DATA");
}
