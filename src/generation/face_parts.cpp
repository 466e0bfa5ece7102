#include "generation/face_parts.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <opencv2/imgproc.hpp>
#include <tuple>

#include "sdx/image/identity.h"
#include "sdx/image/transform.h"
#include "sdx/util/random.h"

namespace sdx {

namespace {

constexpr double kBlurReach = 3;  ///< standard deviations: OpenCV's Gaussian of bytes ends there

std::int64_t count_pixels(const Rect& area) {
  return static_cast<std::int64_t>(area.width_px) * area.height_px;
}

/// One dimension of an area: `length` pixels around the middle of `begin` … `end`, moved into 0 …
/// `limit`.
int begin_around(int begin, int end, int length, int limit) {
  return std::clamp(begin + (end - begin - length) / 2, 0, limit - length);
}

/// The numbers of the largest faces, from left to right.
std::vector<std::size_t> find_largest(const std::vector<Rect>& faces, std::size_t count) {
  std::vector<std::size_t> numbers(faces.size());
  std::iota(numbers.begin(), numbers.end(), std::size_t{0});
  std::stable_sort(numbers.begin(), numbers.end(), [&](std::size_t a, std::size_t b) {
    return count_pixels(faces[a]) > count_pixels(faces[b]);
  });
  numbers.resize(std::min(count, numbers.size()));
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

/// A one-channel view of a plane of bytes.
cv::Mat as_plane(std::vector<std::uint8_t>& plane, const Rect& area) {
  return {area.height_px, area.width_px, CV_8UC1, plane.data()};
}

}  // namespace

Rect find_face_area(const Rect& face, const FaceSettings& settings, ImageSize picture) {
  const int padding =
      std::max(settings.padding_px, static_cast<int>(std::ceil(kBlurReach * settings.blur_px)));
  const int left = std::max(0, face.x_px - padding);
  const int top = std::max(0, face.y_px - padding);
  const int right = std::min(picture.width_px, face.x_px + face.width_px + padding);
  const int bottom = std::min(picture.height_px, face.y_px + face.height_px + padding);
  const int side = std::max(right - left, bottom - top);
  const int width = std::min(side, picture.width_px);
  const int height = std::min(side, picture.height_px);
  return {begin_around(left, right, width, picture.width_px),
          begin_around(top, bottom, height, picture.height_px), width, height};
}

bool is_small_face(const Rect& face, const FaceSettings& settings, ImageSize picture) {
  const double pixels = static_cast<double>(picture.width_px) * picture.height_px;
  return static_cast<double>(count_pixels(face)) < settings.share * pixels;
}

void sort_left_to_right(std::vector<Rect>& faces) {
  std::sort(faces.begin(), faces.end(), [](const Rect& a, const Rect& b) {
    const auto key = [](const Rect& face) {
      return std::tuple(2 * face.x_px + face.width_px, face.y_px, face.width_px, face.height_px);
    };
    return key(a) < key(b);
  });
}

std::vector<std::optional<std::string>> name_left_to_right(const std::vector<Rect>& faces,
                                                           const std::vector<std::string>& names) {
  if (names.size() < 2) return {faces.size(), names.empty() ? "" : names.front()};
  std::vector<std::optional<std::string>> named(faces.size());
  std::size_t next = 0;
  for (const std::size_t number : find_largest(faces, names.size())) named[number] = names[next++];
  return named;
}

std::vector<std::optional<std::string>> name_by_likeness(
    const std::vector<std::vector<float>>& faces, const std::vector<std::vector<float>>& persons,
    const std::vector<std::string>& names) {
  std::vector<std::tuple<double, std::size_t, std::size_t>> pairs;
  for (std::size_t face = 0; face < faces.size(); ++face) {
    for (std::size_t person = 0; person < persons.size(); ++person) {
      pairs.emplace_back(-cosine(faces[face], persons[person]), face, person);
    }
  }
  std::sort(pairs.begin(), pairs.end());
  std::vector<std::optional<std::string>> named(faces.size());
  std::vector<bool> is_taken(persons.size(), false);
  for (const auto& [unlikeness, face, person] : pairs) {
    if (named[face] || is_taken[person]) continue;
    named[face] = names[person];
    is_taken[person] = true;
  }
  return named;
}

Image make_face_mask(const FacePart& part, const FaceSettings& settings, const Image* kept) {
  const Rect& area = part.area;
  std::vector<std::uint8_t> plane(static_cast<std::size_t>(count_pixels(area)), 0);
  cv::Mat target = as_plane(plane, area);
  const cv::Rect face(part.face.x_px - area.x_px, part.face.y_px - area.y_px, part.face.width_px,
                      part.face.height_px);
  target(face & cv::Rect(0, 0, area.width_px, area.height_px)).setTo(255);
  if (settings.blur_px > 0) {
    // A face at the picture's edge is new up to it.
    cv::GaussianBlur(target, target, {0, 0}, settings.blur_px, settings.blur_px,
                     cv::BORDER_REPLICATE);
  }
  Image mask(area.width_px, area.height_px);
  const Image allowed = kept != nullptr ? crop(*kept, area) : Image();
  for (std::size_t i = 0; i < mask.rgb.size(); ++i) {
    const int share = plane[i / 3];
    mask.rgb[i] =
        static_cast<std::uint8_t>(kept != nullptr ? (share * allowed.rgb[i] + 127) / 255 : share);
  }
  return mask;
}

void blend_face(Image& picture, const Rect& area, const Image& made, const Image& mask) {
  const Image part = resize(made, area.width_px, area.height_px);
  const auto row_bytes = std::size_t{3} * static_cast<std::size_t>(area.width_px);
  for (std::size_t y = 0; y < static_cast<std::size_t>(area.height_px); ++y) {
    const std::size_t begin = 3 * ((static_cast<std::size_t>(area.y_px) + y) *
                                       static_cast<std::size_t>(picture.width_px) +
                                   static_cast<std::size_t>(area.x_px));
    for (std::size_t x = 0; x < row_bytes; ++x) {
      const int share = mask.rgb[y * row_bytes + x];
      std::uint8_t& pixel = picture.rgb[begin + x];
      pixel = static_cast<std::uint8_t>(
          (share * part.rgb[y * row_bytes + x] + (255 - share) * pixel + 127) / 255);
    }
  }
}

std::uint64_t derive_face_seed(std::uint64_t seed, std::size_t number) {
  RandomStream stream(seed, RandomPurpose::kFaceSeed, number);
  const std::uint64_t high = stream.word();
  return high << 32U | stream.word();
}

}  // namespace sdx
