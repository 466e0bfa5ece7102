#include "sdx/image/face.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <mutex>
#include <opencv2/imgproc.hpp>
#include <opencv2/objdetect.hpp>
#include <string>
#include <system_error>
#include <tuple>

#include "sdx/image/transform.h"
#include "sdx/util/data_folder.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"

namespace sdx {
namespace {

// Larger pictures are searched at this size: a face of a portrait is still large in it, and the
// time grows with the area.
constexpr int kSearchSide_px = 640;
// A face that is smaller than this part of the shorter side is not whom the portrait is of.
constexpr double kSmallestFace = 0.1;
constexpr double kScaleStep = 1.1;
constexpr int kMinNeighbours = 5;
constexpr std::size_t kMaxCascadeBytes = std::size_t{64} << 20U;

}  // namespace

struct FaceFinder::Impl {
  cv::CascadeClassifier classifier;
  std::mutex mutex;  // the classifier keeps its buffers between calls
};

FaceFinder::FaceFinder(const std::filesystem::path& cascade_file)
    : impl_(std::make_unique<Impl>()) {
  const std::string content = read_file(cascade_file, kMaxCascadeBytes);
  std::string reason = "it has no cascade in it";
  try {
    const cv::FileStorage storage(content, cv::FileStorage::READ | cv::FileStorage::MEMORY);
    if (storage.isOpened() && impl_->classifier.read(storage.getFirstTopLevelNode())) return;
  } catch (const cv::Exception& error) {
    reason = error.err;
  }
  throw DataError(cascade_file.string() + ": not a Haar cascade of OpenCV: " + reason);
}

FaceFinder::~FaceFinder() = default;
FaceFinder::FaceFinder(FaceFinder&&) noexcept = default;
FaceFinder& FaceFinder::operator=(FaceFinder&&) noexcept = default;

std::optional<FaceFinder> FaceFinder::installed() {
  const std::array<std::filesystem::path, 4> folders = {
      data_folder() / "haarcascades", "/usr/share/opencv4/haarcascades",
      "/usr/local/share/opencv4/haarcascades", "/usr/share/opencv/haarcascades"};
  for (const std::filesystem::path& folder : folders) {
    const std::filesystem::path file = folder / "haarcascade_frontalface_default.xml";
    std::error_code ignored;
    if (std::filesystem::is_regular_file(file, ignored)) return FaceFinder(file);
  }
  return std::nullopt;
}

std::vector<Rect> FaceFinder::find(const Image& image) const {
  const int longer = std::max(image.width_px, image.height_px);
  if (longer < 1) return {};
  const double scale = std::min(1.0, static_cast<double>(kSearchSide_px) / longer);
  const auto scaled = [scale](int length) {
    return std::max(1, static_cast<int>(std::lround(length * scale)));
  };
  Image searched =
      scale < 1.0 ? resize(image, scaled(image.width_px), scaled(image.height_px)) : image;

  std::vector<cv::Rect> found;
  try {
    const cv::Mat colour(searched.height_px, searched.width_px, CV_8UC3, searched.rgb.data());
    cv::Mat grey;
    // Not equalized: the cascade normalizes each window by itself, and equalizing costs faces.
    cv::cvtColor(colour, grey, cv::COLOR_RGB2GRAY);
    const int smallest = static_cast<int>(
        std::lround(kSmallestFace * std::min(searched.width_px, searched.height_px)));
    const std::lock_guard lock(impl_->mutex);
    impl_->classifier.detectMultiScale(grey, found, kScaleStep, kMinNeighbours, 0,
                                       cv::Size(smallest, smallest));
  } catch (const cv::Exception& error) {
    throw InternalError(std::string("OpenCV's face finder failed: ") + error.what());
  }

  std::vector<Rect> faces;
  faces.reserve(found.size());
  for (const cv::Rect& box : found) {
    const auto back = [scale](int length) { return static_cast<int>(std::lround(length / scale)); };
    Rect face{std::clamp(back(box.x), 0, image.width_px - 1),
              std::clamp(back(box.y), 0, image.height_px - 1), back(box.width), back(box.height)};
    face.width_px = std::min(face.width_px, image.width_px - face.x_px);
    face.height_px = std::min(face.height_px, image.height_px - face.y_px);
    faces.push_back(face);
  }
  // OpenCV's threads leave the boxes in any order; the place decides between equal ones.
  std::sort(faces.begin(), faces.end(), [](const Rect& a, const Rect& b) {
    const auto key = [](const Rect& face) {
      return std::tuple(-static_cast<std::int64_t>(face.width_px) * face.height_px, face.y_px,
                        face.x_px);
    };
    return key(a) < key(b);
  });
  return faces;
}

}  // namespace sdx
