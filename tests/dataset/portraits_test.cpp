#include "sdx/dataset/portraits.h"

#include <cstdlib>

#include "sdx/image/decode.h"
#include "sdx/image/png.h"
#include "sdx/image/transform.h"
#include "sdx/util/error.h"
#include "support/image_files.h"
#include "support/temp_folder.h"

#include "support/catch.h"

using Catch::Matchers::ContainsSubstring;
using sdx::test::TempFolder;

namespace fs = std::filesystem;

namespace {

/// A picture with its left half in one grey and its right half in another.
sdx::Image two_tone(int width_px, int height_px, std::uint8_t left, std::uint8_t right = 200) {
  sdx::Image image(width_px, height_px);
  for (std::size_t i = 0; i < image.rgb.size(); ++i) {
    const int x = static_cast<int>(i / 3) % width_px;
    image.rgb[i] = x < width_px / 2 ? left : right;
  }
  return image;
}

}  // namespace

TEST_CASE("dataset: pictures become squares of the model's size, never squashed", "[dataset]") {
  const TempFolder folder;
  sdx::write_png(folder.path() / "1-wide.png", two_tone(200, 100, 10));
  sdx::write_png(folder.path() / "2-tall.png", two_tone(90, 120, 20, 90));
  sdx::write_png(folder.path() / "3-square.png", two_tone(64, 64, 250, 30));
  folder.file(".hidden", "x");
  const auto portraits = sdx::load_portraits(folder.path(), {.size_px = 64}, nullptr);
  REQUIRE(portraits.size() == 3);
  for (const sdx::Portrait& portrait : portraits) {
    INFO(portrait.file.string() << ": " << portrait.problem);
    CHECK(portrait.used());
    CHECK(portrait.image.width_px == 64);
    CHECK(portrait.image.height_px == 64);
    CHECK(portrait.area.width_px == portrait.area.height_px);
    CHECK(portrait.faces == 0);
    CHECK_FALSE(portrait.face.has_value());
  }
  CHECK(portraits[0].crop == sdx::Crop::kCentre);
  CHECK(portraits[0].area.x_px == 50);
  CHECK(portraits[0].width_px == 200);
  CHECK(portraits[2].crop == sdx::Crop::kNone);
  CHECK_NOTHROW(sdx::check_enough_portraits(folder.path(), portraits));
}

TEST_CASE("dataset: without a crop the whole picture is in the square", "[dataset]") {
  const TempFolder folder;
  sdx::write_png(folder.path() / "wide.png", two_tone(200, 100, 10));
  const sdx::PortraitOptions options{.size_px = 200, .crop = sdx::Crop::kNone};
  const auto portraits = sdx::load_portraits(folder.path(), options, nullptr);
  REQUIRE(portraits.size() == 1);
  const sdx::Portrait& portrait = portraits[0];
  CHECK(portrait.crop == sdx::Crop::kNone);
  CHECK(portrait.area.y_px == -50);
  CHECK(portrait.area.width_px == 200);
  // Left and right are as they were, above and below they go on.
  for (const int y : {0, 60, 199}) {
    CHECK(portrait.image.rgb[3 * static_cast<std::size_t>(200 * y)] == 10);
    CHECK(portrait.image.rgb[3 * static_cast<std::size_t>(200 * y + 199)] == 200);
  }
  const sdx::Rect inside = sdx::in_square(portrait, {20, 0, 40, 30});
  CHECK(inside.x_px == 20);
  CHECK(inside.y_px == 50);
  CHECK(inside.height_px == 30);
}

TEST_CASE("dataset: a file that cannot be used says why", "[dataset]") {
  const TempFolder folder;
  folder.file("a.jpg", "I am a text.");
  sdx::write_png(folder.path() / "b.png", two_tone(1, 1, 10));
  sdx::write_png(folder.path() / "c.png", two_tone(80, 80, 10));
  sdx::write_png(folder.path() / "d.png", two_tone(80, 80, 10));
  sdx::write_png(folder.path() / "e.png", two_tone(80, 80, 200, 10));
  const sdx::PortraitOptions options{.size_px = 64};
  const auto portraits = sdx::load_portraits(folder.path(), options, nullptr);
  REQUIRE(portraits.size() == 5);
  CHECK_FALSE(portraits[0].used());
  CHECK_THAT(portraits[1].problem, ContainsSubstring("too small: its shorter side has 1 px"));
  CHECK(portraits[2].used());
  CHECK_THAT(portraits[3].problem, ContainsSubstring("the same picture as c.png"));
  CHECK(portraits[4].used());
  try {
    sdx::check_enough_portraits(folder.path(), portraits);
    FAIL("two portraits were enough");
  } catch (const sdx::MissingInputError& error) {
    CHECK_THAT(error.what(), ContainsSubstring("at least 3 usable portraits, found 2"));
    CHECK_THAT(error.what(), ContainsSubstring("a.jpg: "));
    CHECK_THAT(error.what(), ContainsSubstring("b.png: too small"));
  }
}

TEST_CASE("dataset: strict, a file that cannot be used is an error that names it", "[dataset]") {
  const sdx::PortraitOptions options{.size_px = 64, .strict = true};
  const TempFolder folder;
  sdx::write_png(folder.path() / "a.png", two_tone(80, 80, 10));
  sdx::write_png(folder.path() / "b.png", two_tone(80, 80, 10));  // a copy is no fault
  CHECK_NOTHROW(sdx::load_portraits(folder.path(), options, nullptr));
  const auto refused = [&] {
    try {
      sdx::load_portraits(folder.path(), options, nullptr);
      return std::string("nothing");
    } catch (const sdx::Error& error) {
      CHECK(error.exit_code() == sdx::ExitCode::kData);
      return std::string(error.what());
    }
  };
  sdx::write_png(folder.path() / "c.png", two_tone(8, 8, 10));
  CHECK_THAT(refused(), ContainsSubstring("c.png: too small"));
  folder.file("b.jpg", "I am a text.");
  CHECK_THAT(refused(), ContainsSubstring("b.jpg: "));
}

TEST_CASE("dataset: of a picture saved twice the larger counts, six cartoons of one are six",
          "[dataset]") {
  const TempFolder folder;
  const fs::path ada = fs::path(SDX_SOURCE_DIR) / "configs/demo/portraits/ada";
  for (const auto& entry : fs::directory_iterator(ada)) {
    fs::copy(entry.path(), folder.path() / entry.path().filename());
  }
  const sdx::Image portrait_image = sdx::decode_image(ada / "03.png").image;
  folder.file("00.jpg", sdx::test::jpeg_bytes(sdx::resize(portrait_image, 64, 64)));
  const auto portraits = sdx::load_portraits(folder.path(), {.size_px = 128}, nullptr);
  REQUIRE(portraits.size() == 7);
  CHECK(portraits[0].problem == "the same picture as 03.png");
  for (std::size_t i = 1; i < 7; ++i) {
    INFO(portraits[i].problem);
    CHECK(portraits[i].used());
    CHECK_FALSE(portraits[i].is_blurred);
  }
}

TEST_CASE("dataset: a blurred picture is used and flagged", "[dataset]") {
  const TempFolder folder;
  const fs::path ada = fs::path(SDX_SOURCE_DIR) / "configs/demo/portraits/ada/01.png";
  const sdx::Image portrait_image = sdx::decode_image(ada).image;
  sdx::write_png(folder.path() / "a.png",
                 sdx::resize(sdx::resize(portrait_image, 24, 24), 128, 128));
  const auto portraits = sdx::load_portraits(folder.path(), {.size_px = 128}, nullptr);
  CHECK(portraits.at(0).used());
  CHECK(portraits.at(0).is_blurred);
  CHECK(portraits.at(0).sharpness < 15);
}

TEST_CASE("dataset: the texts of crops and of the choices of a face", "[dataset]") {
  CHECK(sdx::find_enum<sdx::Crop>("center") == sdx::Crop::kCentre);
  CHECK(sdx::find_enum<sdx::Crop>("none") == sdx::Crop::kNone);
  CHECK(sdx::find_enum<sdx::FaceChoice>("match") == sdx::FaceChoice::kMatch);
  CHECK(sdx::find_enum<sdx::FaceChoice>("center") == sdx::FaceChoice::kCentre);
  CHECK_FALSE(sdx::find_enum<sdx::Crop>("middle"));
  CHECK_FALSE(sdx::find_enum<sdx::FaceChoice>(""));
}

TEST_CASE("dataset: a missing folder, a file and an empty folder are missing inputs", "[dataset]") {
  const TempFolder folder;
  CHECK_THROWS_AS(sdx::load_portraits(folder.path() / "absent", {}, nullptr),
                  sdx::MissingInputError);
  CHECK_THROWS_AS(sdx::load_portraits(folder.file("file", "x"), {}, nullptr),
                  sdx::MissingInputError);
  CHECK_THROWS_AS(sdx::check_enough_portraits(folder.path(), {}), sdx::MissingInputError);
}

// ---------------------------------------------------------------- with photographs

namespace {

/// Knows a face by whether its picture is light or dark.
class ByLight : public sdx::IdentityEncoder {
 public:
  std::optional<std::vector<float>> encode(const sdx::Image& image) const override {
    double sum = 0;
    for (const std::uint8_t value : image.rgb) sum += value;
    const bool is_light = sum / static_cast<double>(image.rgb.size()) > kMiddle;
    return std::vector<float>{is_light ? 1.0F : 0.0F, is_light ? 0.0F : 1.0F};
  }
  double same_person_cosine() const override { return 0.5; }

 private:
  static constexpr double kMiddle = 60;
};

const fs::path kLisa = fs::path(SDX_SHARED_DATA) / "portraits/lisa";
const fs::path kYuNet = fs::path(SDX_SHARED_DATA) / "models/face_detection_yunet_2022mar.onnx";

sdx::Image with_pasted(sdx::Image canvas, const sdx::Image& part, int left_px, int top_px) {
  for (int y = 0; y < part.height_px; ++y) {
    for (int x = 0; x < part.width_px; ++x) {
      sdx::test::set_colour(canvas, left_px + x, top_px + y, sdx::test::colour_at(part, x, y));
    }
  }
  return canvas;
}

sdx::Image darkened(sdx::Image image) {
  for (std::uint8_t& value : image.rgb) value = static_cast<std::uint8_t>(value / 3);
  return image;
}

}  // namespace

TEST_CASE("dataset: by default a photograph is cropped around its face", "[dataset]") {
  const auto faces = sdx::FaceFinder::installed();
  REQUIRE(faces.has_value());
  const sdx::Image photo = sdx::decode_image(fs::path(SDX_TEST_DATA) / "face/portrait.jpg").image;
  // The same face beside the middle of a wide picture.
  const sdx::Image grey = sdx::test::plain_image(1100, 520, {120, 120, 120});
  const auto load = [&](const sdx::Image& image, const sdx::PortraitOptions& options) {
    const TempFolder folder;
    sdx::write_png(folder.path() / "1.png", image);
    return sdx::load_portraits(folder.path(), options, &*faces).at(0);
  };
  const sdx::Image wide = with_pasted(grey, photo, 700, 4);
  for (const sdx::Image& image : {photo, wide}) {
    const sdx::Portrait portrait = load(image, {.size_px = 128});
    INFO(image.width_px << " px: " << portrait.problem);
    CHECK(portrait.used());
    CHECK(portrait.faces == 1);
    CHECK(portrait.crop == sdx::Crop::kFace);
    REQUIRE(portrait.face.has_value());
    CHECK(portrait.image.width_px == 128);
    // The whole face is in the square, and near its middle.
    const sdx::Rect face = sdx::in_square(portrait, portrait.face->box);
    CHECK(face.x_px > 10);
    CHECK(face.x_px + face.width_px < 118);
    CHECK(std::abs(face.x_px + face.width_px / 2 - 64) < 16);
    CHECK(face.y_px > 0);
    CHECK(face.y_px + face.height_px < 128);
  }
  // By the middle alone the wide one would show nobody.
  CHECK(load(wide, {.size_px = 128}).area.x_px > 600);
  CHECK(load(wide, {.size_px = 128, .crop = sdx::Crop::kCentre}).area.x_px == 290);
}

TEST_CASE("dataset: a square photograph is cropped only where its face is small",
          "[dataset][needs-data]") {
  if (!fs::exists(kLisa) || !fs::exists(kYuNet)) SDX_SKIP("shared/data is not here");
  const sdx::FaceFinder faces = sdx::FaceFinder::yunet(kYuNet);
  const sdx::Image photo = sdx::decode_image(kLisa / "lisa1.jpg").image;
  const TempFolder folder;
  sdx::write_png(folder.path() / "1-large.png",
                 sdx::crop(photo, sdx::centre_square(photo.width_px, photo.height_px)));
  const sdx::Image grey = sdx::test::plain_image(800, 800, {120, 120, 120});
  sdx::write_png(folder.path() / "2-small.png",
                 with_pasted(grey, sdx::resize(photo, 180, 240), 550, 450));
  sdx::write_png(folder.path() / "3-upright.png", photo);
  const auto portraits = sdx::load_portraits(folder.path(), {.size_px = 128}, &faces);
  REQUIRE(portraits.size() == 3);
  for (const sdx::Portrait& portrait : portraits) {
    INFO(portrait.file.filename() << " " << portrait.problem);
    CHECK(portrait.faces == 1);
    REQUIRE(portrait.face.has_value());
  }
  CHECK(portraits[0].crop == sdx::Crop::kNone);
  CHECK(portraits[1].crop == sdx::Crop::kFace);
  CHECK(portraits[1].area.x_px > 400);
  CHECK(portraits[1].area.width_px < 400);
  CHECK(portraits[2].crop == sdx::Crop::kFace);
  const sdx::Rect face = sdx::in_square(portraits[2], portraits[2].face->box);
  CHECK(face.x_px > 20);
  CHECK(face.x_px + face.width_px < 108);
  const sdx::PortraitOptions centre{.size_px = 128, .crop = sdx::Crop::kCentre};
  CHECK(sdx::load_portraits(folder.path(), centre, &faces)[2].crop == sdx::Crop::kCentre);
}

TEST_CASE("dataset: of several faces the largest, the middle one or the one that recurs",
          "[dataset][needs-data]") {
  if (!fs::exists(kLisa) || !fs::exists(kYuNet)) SDX_SKIP("shared/data is not here");
  const sdx::FaceFinder faces = sdx::FaceFinder::yunet(kYuNet);
  const sdx::Image photo = sdx::decode_image(kLisa / "lisa1.jpg").image;
  const TempFolder folder;
  // A dark face large at the left, a light one smaller in the middle; and two dark and light alone.
  sdx::Image both = sdx::test::plain_image(1600, 800, {90, 90, 90});
  both = with_pasted(both, darkened(photo), 0, 0);
  both = with_pasted(both, sdx::resize(photo, 450, 600), 720, 100);
  sdx::write_png(folder.path() / "1-both.png", both);
  sdx::write_png(folder.path() / "2-light.png", photo);
  sdx::write_png(folder.path() / "3-light.png", sdx::decode_image(kLisa / "lisa2.jpg").image);
  const auto area_of_first = [&](sdx::FaceChoice choice, const sdx::IdentityEncoder* identity) {
    const sdx::PortraitOptions options{.size_px = 64, .face = choice};
    const auto portraits = sdx::load_portraits(folder.path(), options, &faces, identity);
    CHECK(portraits[0].faces == 2);
    return portraits[0].area.x_px + portraits[0].area.width_px / 2;
  };
  const ByLight identity;
  CHECK(area_of_first(sdx::FaceChoice::kLargest, &identity) < 500);
  CHECK(area_of_first(sdx::FaceChoice::kCentre, nullptr) > 600);
  CHECK(area_of_first(sdx::FaceChoice::kMatch, &identity) > 600);
  CHECK(area_of_first(sdx::FaceChoice::kMatch, nullptr) < 500);
}
