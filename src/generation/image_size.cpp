#include "sdx/generation/image_size.h"

#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>

namespace sdx {

namespace {

/// The sides of a picture with about the native area: the longer one a multiple of a sixteenth of
/// the native side that is no longer than asked for, the shorter one the nearest. For 1024 pixels
/// these are the sizes that SDXL was trained on (Podell et al. 2023, appendix I).
ImageSize shape_native_area(double aspect, int native_px) {
  const double step = std::max(native_px / 16, 8);
  const double stretch = std::sqrt(std::max(aspect, 1 / aspect));
  const int longer = static_cast<int>(std::floor(native_px * stretch / step) * step);
  const int shorter =
      static_cast<int>(std::max(std::round(native_px / stretch / step), 1.0) * step);
  return aspect >= 1 ? ImageSize{longer, shorter} : ImageSize{shorter, longer};
}

}  // namespace

ImageSize image_size(const ImageSettings& settings, const BundleInfo& info) {
  const int native = info.native_size_px;
  const ImageSize usual =
      settings.aspect > 0 ? shape_native_area(settings.aspect, native) : ImageSize{native, native};
  return {settings.width_px > 0 ? settings.width_px : usual.width_px,
          settings.height_px > 0 ? settings.height_px : usual.height_px};
}

at::Tensor make_nothing_beside(const LatentSize& size, const BundleInfo& info) {
  if (!info.inpainting) return {};
  return at::zeros({1, info.input_channels() - info.latent_channels, size.height, size.width});
}

LatentSize latent_size(const ImageSettings& settings, const BundleInfo& info, double scale) {
  const ImageSize size = image_size(settings, info);
  const auto side = [&](int px) {
    return static_cast<int>(std::lround(px * scale)) / info.vae_factor;
  };
  return {info.latent_channels, side(size.height_px), side(size.width_px)};
}

}  // namespace sdx
