#include "sdx/image/quality.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <opencv2/imgproc.hpp>
#include <string>

#include "sdx/image/transform.h"
#include "sdx/util/error.h"

namespace sdx {

namespace {

constexpr int kSharpnessSide_px = 256;
constexpr int kHashSide_px = 32;
constexpr int kEvenSide_px = 128;
constexpr int kFrequencies = 8;
constexpr int kColoursSide_px = 16;

// Measured: portraits and cartoons have 57 … 530; blurred by a Gaussian of 1/256 of their side 25 …
// 86, of 2/256 at most 12.4.
constexpr double kBlurredBelow = 15;

// Measured: 30 cartoons have 0.76 … 0.89, as JPEGs of quality 60 0.59 … 0.83; 12 photographed
// portraits of five people 0.27 … 0.50.
constexpr double kEvenShareOfDrawings = 0.55;
constexpr double kEvenDifference = 3;  // of 255

// Measured: a copy at half the size or in JPEG's quality 60 differs by at most 4 bits and 2.8 of
// 255; two drawings of one cartoon person by as little as 4 bits, but never by less than 22; eight
// photographs of one person by at least 16 bits and 18.
constexpr int kSameHashBits = 6;
constexpr double kSameColours = 6;

/// The grey values of `image` at side × side, 0 … 255.
cv::Mat small_grey(const Image& image, int side_px) {
  Image small = resize(image, side_px, side_px);
  const cv::Mat colour(side_px, side_px, CV_8UC3, small.rgb.data());
  cv::Mat grey;
  cv::cvtColor(colour, grey, cv::COLOR_RGB2GRAY);
  cv::Mat result;
  grey.convertTo(result, CV_32F);
  return result;
}

/// `compute`, with what OpenCV throws as an error of ours.
template <typename Compute>
auto by_opencv(const Compute& compute) {
  try {
    return compute();
  } catch (const cv::Exception& error) {
    throw InternalError(std::string("OpenCV cannot measure a picture: ") + error.what());
  }
}

double mean_difference(const std::vector<std::uint8_t>& a, const std::vector<std::uint8_t>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::abs(int{a[i]} - int{b[i]});
  return sum / static_cast<double>(a.size());
}

}  // namespace

double sharpness(const Image& image) {
  return by_opencv([&image] {
    cv::Mat edges;
    cv::Laplacian(small_grey(image, kSharpnessSide_px), edges, CV_32F);
    cv::Scalar mean;
    cv::Scalar deviation;
    cv::meanStdDev(edges, mean, deviation);
    return deviation[0] * deviation[0];
  });
}

bool is_photograph(const Image& image) {
  return by_opencv([&image] {
    const cv::Mat grey = small_grey(image, kEvenSide_px);
    const cv::Rect all_but_last(0, 0, kEvenSide_px - 1, kEvenSide_px - 1);
    const cv::Mat here = grey(all_but_last);
    const cv::Mat across = cv::abs(here - grey(all_but_last + cv::Point(1, 0)));
    const cv::Mat down = cv::abs(here - grey(all_but_last + cv::Point(0, 1)));
    const cv::Mat even = cv::max(across, down) <= kEvenDifference;
    return cv::countNonZero(even) < kEvenShareOfDrawings * static_cast<double>(even.total());
  });
}

std::uint64_t perceptual_hash(const Image& image) {
  return by_opencv([&image] {
    cv::Mat spectrum;
    cv::dct(small_grey(image, kHashSide_px), spectrum);
    std::array<float, 64> low{};
    for (int i = 0; i < kFrequencies * kFrequencies; ++i) {
      low[static_cast<std::size_t>(i)] = spectrum.at<float>(i / kFrequencies, i % kFrequencies);
    }
    std::array<float, 64> sorted = low;
    std::nth_element(sorted.begin(), sorted.begin() + 32, sorted.end());
    std::uint64_t hash = 0;
    for (const float value : low) hash = hash << 1U | (value > sorted[32] ? 1U : 0U);
    return hash;
  });
}

bool is_blurred(double sharpness) { return sharpness < kBlurredBelow; }

int hamming_distance(std::uint64_t a, std::uint64_t b) { return std::popcount(a ^ b); }

Fingerprint fingerprint(const Image& image) {
  return {perceptual_hash(image), resize(image, kColoursSide_px, kColoursSide_px).rgb};
}

bool is_same_image(const Fingerprint& a, const Fingerprint& b) {
  return hamming_distance(a.hash, b.hash) <= kSameHashBits &&
         mean_difference(a.colours, b.colours) <= kSameColours;
}

}  // namespace sdx
