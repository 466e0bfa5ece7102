#include "sdx/image/transform.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>
#include <string>

#include "sdx/util/error.h"

namespace sdx {
namespace {

// Part of a portrait's height that the face takes, and of the room around it that lies above.
constexpr double kPortraitHeightInFaces = 2.2;
constexpr double kRoomAbove = 0.55;

cv::Mat as_mat(Image& image) {
  return {image.height_px, image.width_px, CV_8UC3, image.rgb.data()};
}

/// `image` by OpenCV, which writes into the result's own bytes.
Image resize_by(Image image, int width_px, int height_px, int interpolation) {
  Image result(width_px, height_px);
  cv::Mat target = as_mat(result);
  try {
    cv::resize(as_mat(image), target, target.size(), 0, 0, interpolation);
  } catch (const cv::Exception& error) {
    throw InternalError(std::string("OpenCV cannot resize a picture: ") + error.what());
  }
  return result;
}

}  // namespace

Image crop(const Image& image, const Rect& area) {
  if (area.x_px < 0 || area.y_px < 0 || area.width_px < 1 || area.height_px < 1 ||
      area.width_px > image.width_px - area.x_px || area.height_px > image.height_px - area.y_px) {
    throw InternalError("crop: the area " + std::to_string(area.width_px) + "x" +
                        std::to_string(area.height_px) + "+" + std::to_string(area.x_px) + "+" +
                        std::to_string(area.y_px) + " does not lie in the picture of " +
                        std::to_string(image.width_px) + "x" + std::to_string(image.height_px));
  }
  Image result(area.width_px, area.height_px);
  const std::ptrdiff_t source_stride = std::ptrdiff_t{3} * image.width_px;
  const std::ptrdiff_t target_stride = std::ptrdiff_t{3} * area.width_px;
  for (int y = 0; y < area.height_px; ++y) {
    std::copy_n(image.rgb.begin() + (area.y_px + y) * source_stride + std::ptrdiff_t{3} * area.x_px,
                target_stride, result.rgb.begin() + y * target_stride);
  }
  return result;
}

Image crop_beyond(const Image& image, const Rect& area) {
  const int left = std::max(0, -area.x_px);
  const int top = std::max(0, -area.y_px);
  const int right = std::max(0, area.x_px + area.width_px - image.width_px);
  const int bottom = std::max(0, area.y_px + area.height_px - image.height_px);
  if (left + top + right + bottom == 0) return crop(image, area);
  Image source = image;
  Image whole(left + image.width_px + right, top + image.height_px + bottom);
  cv::Mat target = as_mat(whole);
  try {
    cv::copyMakeBorder(as_mat(source), target, top, bottom, left, right, cv::BORDER_REFLECT);
  } catch (const cv::Exception& error) {
    throw InternalError(std::string("OpenCV cannot widen a picture: ") + error.what());
  }
  return crop(whole, {area.x_px + left, area.y_px + top, area.width_px, area.height_px});
}

Image resize(const Image& image, int width_px, int height_px) {
  if (width_px < 1 || height_px < 1 || image.width_px < 1 || image.height_px < 1) {
    throw InternalError("resize: a picture has no pixels");
  }
  // Where one side shrinks and the other grows, each gets the method that suits it.
  const int shrunk_width = std::min(width_px, image.width_px);
  const int shrunk_height = std::min(height_px, image.height_px);
  Image result = image;
  if (shrunk_width < image.width_px || shrunk_height < image.height_px) {
    result = resize_by(std::move(result), shrunk_width, shrunk_height, cv::INTER_AREA);
  }
  if (shrunk_width < width_px || shrunk_height < height_px) {
    result = resize_by(std::move(result), width_px, height_px, cv::INTER_LANCZOS4);
  }
  return result;
}

Rect centre_square(int width_px, int height_px) {
  const int side = std::min(width_px, height_px);
  return {(width_px - side) / 2, (height_px - side) / 2, side, side};
}

Rect portrait_square(const Rect& face, int width_px, int height_px) {
  const double requested = std::max(1.0, std::round(kPortraitHeightInFaces * face.height_px));
  const int side = static_cast<int>(
      std::min({requested, static_cast<double>(width_px), static_cast<double>(height_px)}));
  const double left = face.x_px + (face.width_px - side) / 2.0;
  const double top = face.y_px - kRoomAbove * (side - face.height_px);
  // A little rounding must not push the square out again, so it is clamped as an integer.
  return {std::clamp(static_cast<int>(std::lround(left)), 0, width_px - side),
          std::clamp(static_cast<int>(std::lround(top)), 0, height_px - side), side, side};
}

}  // namespace sdx
