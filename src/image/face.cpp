#include "sdx/image/face.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <opencv2/core/utils/logger.hpp>
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

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMaxModelBytes = std::size_t{64} << 20U;

constexpr double kScaleStep = 1.1;
constexpr int kMinNeighbours = 5;

constexpr float kYuNetOverlap = 0.3F;
constexpr int kYuNetCandidates = 5000;
// The network halves the picture six times.
constexpr int kYuNetSmallest_px = 64;

/// OpenCV reports what it throws on stderr as well.
class QuietOpenCv {
 public:
  QuietOpenCv() : before_(cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT)) {}
  ~QuietOpenCv() { cv::utils::logging::setLogLevel(before_); }
  QuietOpenCv(const QuietOpenCv&) = delete;
  QuietOpenCv& operator=(const QuietOpenCv&) = delete;

 private:
  cv::utils::logging::LogLevel before_;
};

Rect rounded(double left, double top, double right, double bottom) {
  const auto pixel = [](double length) { return static_cast<int>(std::lround(length)); };
  return {pixel(left), pixel(top), pixel(right) - pixel(left), pixel(bottom) - pixel(top)};
}

/// A face found in a picture that was scaled by `scale`, in the pixels of `image`.
Face in_image(const Face& face, double scale, const Image& image) {
  const auto along = [scale](double length, int limit) {
    return std::clamp(length / scale, 0.0, static_cast<double>(limit));
  };
  Face result = face;
  const Rect& box = face.box;
  result.box = rounded(along(box.x_px, image.width_px), along(box.y_px, image.height_px),
                       along(static_cast<double>(box.x_px) + box.width_px, image.width_px),
                       along(static_cast<double>(box.y_px) + box.height_px, image.height_px));
  if (result.landmarks) {
    for (Point& point : *result.landmarks) point = {point.x_px / scale, point.y_px / scale};
  }
  return result;
}

/// What OpenCV says, without its line breaks.
std::string extract_reason(const cv::Exception& error) {
  std::string reason = error.err;
  std::replace(reason.begin(), reason.end(), '\n', ' ');
  return reason;
}

std::optional<fs::path> first_file(const std::vector<fs::path>& candidates) {
  for (const fs::path& file : candidates) {
    std::error_code ignored;
    if (fs::is_regular_file(file, ignored)) return file;
  }
  return std::nullopt;
}

}  // namespace

struct FaceFinder::Impl {
  virtual ~Impl() = default;
  virtual const char* method() const = 0;
  /// Faces of at least `smallest_px` in an RGB picture, in any order. May throw cv::Exception.
  virtual std::vector<Face> find(const cv::Mat& pixels, int smallest_px, double confidence) = 0;
  std::mutex mutex;  // both keep their buffers between calls
};

struct FaceFinder::YuNet : FaceFinder::Impl {
  cv::Ptr<cv::FaceDetectorYN> detector;

  const char* method() const override { return "YuNet"; }

  std::vector<Face> find(const cv::Mat& pixels, int smallest_px, double confidence) override {
    if (std::min(pixels.cols, pixels.rows) < kYuNetSmallest_px) return {};
    cv::Mat bgr;
    cv::cvtColor(pixels, bgr, cv::COLOR_RGB2BGR);
    detector->setInputSize(pixels.size());
    detector->setScoreThreshold(static_cast<float>(confidence));
    cv::Mat rows;  // x, y, width, height, five points, score
    detector->detect(bgr, rows);
    std::vector<Face> faces;
    for (int i = 0; i < rows.rows; ++i) {
      const float* row = rows.ptr<float>(i);
      if (row[2] < static_cast<float>(smallest_px)) continue;
      Face face;
      face.box = rounded(row[0], row[1], row[0] + row[2], row[1] + row[3]);
      face.score = std::min(1.0, static_cast<double>(row[14]));
      face.landmarks.emplace();
      for (std::size_t p = 0; p < 5; ++p) (*face.landmarks)[p] = {row[4 + 2 * p], row[5 + 2 * p]};
      faces.push_back(face);
    }
    return faces;
  }
};

struct FaceFinder::Cascade : FaceFinder::Impl {
  cv::CascadeClassifier classifier;

  const char* method() const override { return "Haar cascade"; }

  std::vector<Face> find(const cv::Mat& pixels, int smallest_px, double) override {
    cv::Mat grey;
    // Not equalized: the cascade normalizes each window by itself, and equalizing costs faces.
    cv::cvtColor(pixels, grey, cv::COLOR_RGB2GRAY);
    std::vector<cv::Rect> boxes;
    classifier.detectMultiScale(grey, boxes, kScaleStep, kMinNeighbours, 0,
                                cv::Size(smallest_px, smallest_px));
    std::vector<Face> faces(boxes.size());
    for (std::size_t i = 0; i < boxes.size(); ++i) {
      faces[i].box = {boxes[i].x, boxes[i].y, boxes[i].width, boxes[i].height};
    }
    return faces;
  }
};

FaceFinder::FaceFinder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
FaceFinder::~FaceFinder() = default;
FaceFinder::FaceFinder(FaceFinder&&) noexcept = default;
FaceFinder& FaceFinder::operator=(FaceFinder&&) noexcept = default;

const char* FaceFinder::method() const { return impl_->method(); }

FaceFinder FaceFinder::yunet(const fs::path& file) {
  read_file(file, kMaxModelBytes);  // OpenCV would only say that it failed
  const QuietOpenCv quiet;
  try {
    auto impl = std::make_unique<YuNet>();
    const cv::Size size(kYuNetSmallest_px, kYuNetSmallest_px);
    const auto confidence = static_cast<float>(FaceSearch().confidence);
    impl->detector = cv::FaceDetectorYN::create(file.string(), "", size, confidence, kYuNetOverlap,
                                                kYuNetCandidates);
    // Only a search shows whether it is YuNet, and the one that this OpenCV understands.
    impl->find(cv::Mat::zeros(size, CV_8UC3), 1, FaceSearch().confidence);
    return FaceFinder(std::move(impl));
  } catch (const cv::Exception& error) {
    throw DataError(
        file.string() +
        ": expected the YuNet face detector as an .onnx file (that of 2022 up to OpenCV "
        "4.7, that of 2023 from 4.8 on; this is OpenCV " CV_VERSION "), found something else: " +
        error.err);
  }
}

FaceFinder FaceFinder::cascade(const fs::path& file) {
  const std::string content = read_file(file, kMaxModelBytes);
  std::string reason = "it has no cascade in it";
  try {
    auto impl = std::make_unique<Cascade>();
    const cv::FileStorage storage(content, cv::FileStorage::READ | cv::FileStorage::MEMORY);
    if (storage.isOpened() && impl->classifier.read(storage.getFirstTopLevelNode())) {
      return FaceFinder(std::move(impl));
    }
  } catch (const cv::Exception& error) {
    reason = extract_reason(error);
  }
  throw DataError(file.string() + ": not a Haar cascade of OpenCV: " + reason);
}

std::optional<FaceFinder> FaceFinder::installed(const fs::path& file,
                                                const fs::path& bundle_folder) {
  if (!file.empty()) return yunet(file);
  const char* const path = std::getenv("SDX_FACE_DETECTOR");
  if (path != nullptr && *path != '\0') return yunet(path);
  const char* const model = "face_detector.onnx";
  std::vector<fs::path> models = {data_folder() / "face" / model};
  if (!bundle_folder.empty()) models.insert(models.begin(), bundle_folder / model);
  if (const auto found = first_file(models)) return yunet(*found);
  const char* const cascade_name = "haarcascade_frontalface_default.xml";
  if (const auto found =
          first_file({data_folder() / "haarcascades" / cascade_name,
                      fs::path("/usr/share/opencv4/haarcascades") / cascade_name,
                      fs::path("/usr/local/share/opencv4/haarcascades") / cascade_name,
                      fs::path("/usr/share/opencv/haarcascades") / cascade_name})) {
    return cascade(*found);
  }
  return std::nullopt;
}

std::vector<Face> FaceFinder::find(const Image& image, const FaceSearch& search) const {
  const int longer = std::max(image.width_px, image.height_px);
  if (longer < 1) return {};
  const int side = std::clamp(longer, search.least_side_px, search.most_side_px);
  const double scale = static_cast<double>(side) / longer;
  const auto scaled = [scale](int length) {
    return std::max(1, static_cast<int>(std::lround(length * scale)));
  };
  Image searched =
      side != longer ? resize(image, scaled(image.width_px), scaled(image.height_px)) : image;
  const int smallest_px = static_cast<int>(
      std::lround(search.smallest * std::min(searched.width_px, searched.height_px)));

  std::vector<Face> faces;
  try {
    const cv::Mat pixels(searched.height_px, searched.width_px, CV_8UC3, searched.rgb.data());
    const std::lock_guard lock(impl_->mutex);
    faces = impl_->find(pixels, smallest_px, search.confidence);
  } catch (const cv::Exception& error) {
    throw InternalError(std::string("OpenCV's face finder failed: ") + error.what());
  }
  for (Face& face : faces) face = in_image(face, scale, image);
  // OpenCV's threads leave the boxes in any order; the place decides between equal ones.
  std::sort(faces.begin(), faces.end(), [](const Face& a, const Face& b) {
    const auto key = [](const Rect& box) {
      return std::tuple(-static_cast<std::int64_t>(box.width_px) * box.height_px, box.y_px,
                        box.x_px);
    };
    return key(a.box) < key(b.box);
  });
  return faces;
}

}  // namespace sdx
