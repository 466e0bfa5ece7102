#include "generation/image_size.h"

#include <cmath>

namespace sdx {

ImageSize image_size(const ImageSettings& settings, const BundleInfo& info) {
  const auto choose = [&](int px) { return px > 0 ? px : info.native_size_px; };
  return {choose(settings.width_px), choose(settings.height_px)};
}

LatentSize latent_size(const ImageSettings& settings, const BundleInfo& info, double scale) {
  const ImageSize size = image_size(settings, info);
  const auto side = [&](int px) {
    return static_cast<int>(std::lround(px * scale)) / info.vae_factor;
  };
  return {info.latent_channels, side(size.height_px), side(size.width_px)};
}

}  // namespace sdx
