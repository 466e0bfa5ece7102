#include "image/colour_profile.h"

#include <lcms2.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

namespace sdx {
namespace {

// Profiles of sRGB differ from each other by rounding: in 8 bits, by no more than this.
constexpr int kRounding = 2;

struct CloseProfile {
  void operator()(void* profile) const { cmsCloseProfile(profile); }
};
struct DeleteTransform {
  void operator()(void* transform) const { cmsDeleteTransform(transform); }
};
struct FreeCurve {
  void operator()(cmsToneCurve* curve) const { cmsFreeToneCurve(curve); }
};
using Profile = std::unique_ptr<void, CloseProfile>;
using Transform = std::unique_ptr<void, DeleteTransform>;

/// Into 8-bit sRGB; nothing if the profile is none for such pixels.
Transform make_transform(const Profile& from, cmsUInt32Number layout) {
  const Profile srgb(cmsCreate_sRGBProfile());
  if (from == nullptr || srgb == nullptr) return nullptr;
  return Transform(cmsCreateTransform(from.get(), layout, srgb.get(), TYPE_RGB_8,
                                      INTENT_RELATIVE_COLORIMETRIC, 0));
}

/// Whether a transform leaves colours as they are. The samples go through all of the cube, and
/// along its greys in small steps.
bool changes_nothing(const Transform& transform) {
  constexpr int kStep = 51;  // 0, 51, … 255
  std::vector<std::uint8_t> samples;
  const auto add = [&samples](int red, int green, int blue) {
    for (const int value : {red, green, blue}) samples.push_back(static_cast<std::uint8_t>(value));
  };
  for (int red = 0; red < 256; red += kStep) {
    for (int green = 0; green < 256; green += kStep) {
      for (int blue = 0; blue < 256; blue += kStep) add(red, green, blue);
    }
  }
  for (int grey = 0; grey < 256; ++grey) add(grey, grey, grey);
  std::vector<std::uint8_t> converted(samples.size());
  cmsDoTransform(transform.get(), samples.data(), converted.data(),
                 static_cast<cmsUInt32Number>(samples.size() / 3));
  return std::equal(samples.begin(), samples.end(), converted.begin(),
                    [](int a, int b) { return std::abs(a - b) <= kRounding; });
}

void convert(Image& image, const Profile& from) {
  const Transform transform = make_transform(from, TYPE_RGB_8);
  if (transform == nullptr || changes_nothing(transform)) return;
  const std::size_t stride = std::size_t{3} * static_cast<std::size_t>(image.width_px);
  for (std::uint8_t* row = image.rgb.data(); row != image.rgb.data() + image.rgb.size();
       row += stride) {
    cmsDoTransform(transform.get(), row, row, static_cast<cmsUInt32Number>(image.width_px));
  }
}

/// Of grey there are 256 values, so the colours of a picture are looked up.
void convert_grey(Image& image, const Profile& from) {
  const Transform transform = make_transform(from, TYPE_GRAY_8);
  if (transform == nullptr) return;
  std::array<std::uint8_t, 256> greys{};
  for (std::size_t i = 0; i < greys.size(); ++i) greys[i] = static_cast<std::uint8_t>(i);
  std::array<std::uint8_t, 3 * 256> colours{};
  cmsDoTransform(transform.get(), greys.data(), colours.data(), 256);
  bool is_srgb = true;
  for (std::size_t i = 0; i < greys.size(); ++i) {
    is_srgb = is_srgb && std::abs(colours[3 * i] - static_cast<int>(i)) <= kRounding;
  }
  if (is_srgb) return;
  for (std::size_t i = 0; i < image.rgb.size(); i += 3) {
    std::copy_n(colours.begin() + 3 * std::ptrdiff_t{image.rgb[i]}, 3,
                image.rgb.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

}  // namespace

void convert_to_srgb(Image& image, std::string_view icc_profile) {
  if (icc_profile.empty() || icc_profile.size() > std::numeric_limits<cmsUInt32Number>::max()) {
    return;
  }
  const Profile profile(
      cmsOpenProfileFromMem(icc_profile.data(), static_cast<cmsUInt32Number>(icc_profile.size())));
  if (profile == nullptr) return;
  // Out of the header itself: as an enum of the library, a damaged value would be none of its
  // values.
  const std::string_view space = icc_profile.substr(16, 4);
  if (space == "RGB ") convert(image, profile);
  if (space == "GRAY") convert_grey(image, profile);
}

void convert_to_srgb(Image& image, Chromaticity white, const std::array<Chromaticity, 3>& colours) {
  // The curve of sRGB, IEC 61966-2-1: linear below 0.04045, then a power of 2.4.
  const std::array<double, 5> parameters = {2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045};
  const std::unique_ptr<cmsToneCurve, FreeCurve> curve(
      cmsBuildParametricToneCurve(nullptr, 4, parameters.data()));
  if (curve == nullptr) return;
  const cmsCIExyY white_point = {white.x, white.y, 1};
  const cmsCIExyYTRIPLE primaries = {{colours[0].x, colours[0].y, 1},
                                     {colours[1].x, colours[1].y, 1},
                                     {colours[2].x, colours[2].y, 1}};
  const std::array<cmsToneCurve*, 3> curves = {curve.get(), curve.get(), curve.get()};
  convert(image, Profile(cmsCreateRGBProfile(&white_point, &primaries, curves.data())));
}

}  // namespace sdx
