#include "sdx/image/quality.h"

#include <algorithm>
#include <filesystem>
#include <opencv2/imgproc.hpp>

#include "sdx/image/decode.h"
#include "sdx/image/transform.h"
#include "support/catch.h"
#include "support/image_files.h"
#include "support/temp_folder.h"

using namespace sdx;
using namespace sdx::test;

namespace fs = std::filesystem;

namespace {

/// The cartoons of five people, six of each; and the photographs where the shared data is.
std::vector<std::vector<Image>> images_of_people() {
  std::vector<fs::path> folders;
  const fs::path cartoons = fs::path(SDX_SOURCE_DIR) / "configs/demo/portraits";
  for (const auto& entry : fs::directory_iterator(cartoons)) folders.push_back(entry.path());
  const fs::path photographs = fs::path(SDX_SHARED_DATA) / "portraits/lisa";
  if (fs::exists(photographs)) folders.push_back(photographs);
  std::vector<std::vector<Image>> people;
  for (const fs::path& folder : folders) {
    people.emplace_back();
    for (const auto& file : fs::directory_iterator(folder)) {
      people.back().push_back(decode_image(file.path()).image);
    }
  }
  return people;
}

Image blurred(const Image& image, double deviation_px) {
  Image result = image;
  cv::Mat mat(result.height_px, result.width_px, CV_8UC3, result.rgb.data());
  cv::GaussianBlur(mat, mat, {}, deviation_px);
  return result;
}

Image as_small_jpeg(const Image& image, double scale) {
  const Image small = resize(image, static_cast<int>(image.width_px * scale),
                             static_cast<int>(image.height_px * scale));
  const TempFolder folder;
  return decode_image(folder.file("a.jpg", jpeg_bytes(small))).image;
}

}  // namespace

TEST_CASE("image: a plain picture has no sharpness, edges have much", "[image]") {
  CHECK(sharpness(plain_image(100, 80, {90, 90, 90})) < 1e-6);
  CHECK(sharpness(busy_image(256, 256)) > 1000);
  CHECK(is_blurred(0));
  CHECK_FALSE(is_blurred(100));
}

TEST_CASE("image: photographs are told from cartoons, at any size", "[image]") {
  const fs::path photograph = fs::path(SDX_TEST_DATA) / "face/portrait.jpg";
  CHECK(is_photograph(decode_image(photograph).image));
  CHECK(is_photograph(as_small_jpeg(decode_image(photograph).image, 0.5)));
  for (const std::vector<Image>& person : images_of_people()) {
    const bool is_cartoon = person.front().width_px == 128;
    for (const Image& image : person) {
      CHECK(is_photograph(image) != is_cartoon);
      CHECK(is_photograph(as_small_jpeg(image, 1)) != is_cartoon);
    }
  }
}

TEST_CASE("image: what was blurred is told from what is sharp, at any size", "[image]") {
  for (const auto& person : images_of_people()) {
    for (const Image& image : person) {
      const double side_px = std::min(image.width_px, image.height_px);
      CHECK_FALSE(is_blurred(sharpness(image)));
      CHECK(is_blurred(sharpness(blurred(image, 2.5 * side_px / 256))));
    }
  }
}

TEST_CASE("image: the hash of a picture is that of its copy", "[image]") {
  const Image image = quartered_image(160, 120);
  CHECK(perceptual_hash(image) == perceptual_hash(image));
  CHECK(hamming_distance(perceptual_hash(image), perceptual_hash(resize(image, 80, 60))) <= 2);
  CHECK(hamming_distance(perceptual_hash(image), perceptual_hash(busy_image(160, 120))) > 10);
  CHECK(hamming_distance(0, 0xF0) == 4);
}

TEST_CASE("image: a smaller JPEG of a picture is the same one, another picture is not", "[image]") {
  for (const auto& person : images_of_people()) {
    std::vector<Fingerprint> prints;
    for (const Image& image : person) {
      prints.push_back(fingerprint(image));
      CHECK(is_same_image(prints.back(), prints.back()));
      CHECK(is_same_image(prints.back(), fingerprint(as_small_jpeg(image, 1))));
      CHECK(is_same_image(prints.back(), fingerprint(as_small_jpeg(image, 0.5))));
    }
    for (std::size_t i = 0; i < prints.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) CHECK_FALSE(is_same_image(prints[i], prints[j]));
    }
  }
}
