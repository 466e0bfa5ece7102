#include "generation/image_decoder.h"

#include "generation/decode_pieces.h"
#include "generation/not_finite.h"
#include "generation/previewer.h"
#include "generation/tile.h"
#include "sdx/model/tiny_autoencoder.h"
#include "sdx/util/error.h"

namespace sdx {

namespace {

constexpr int kSmallLatents = 1024;  ///< a picture of 256 px: decoding takes a few hundred MB

}  // namespace

ImageDecoder::ImageDecoder(const Bundle& bundle, const ComputeTarget& target)
    : bundle_(bundle), target_(target), vae_(bundle, target) {}

const VaeDecoder& ImageDecoder::tiny(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  auto& loaded = tiny_[name];
  if (!loaded) {
    loaded = std::make_unique<VaeDecoder>(
        load_tiny_autoencoder(name, "vae-approx", bundle_.info(), target_.device));
  }
  return *loaded;
}

const Upscaler& ImageDecoder::upscaler(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  auto& loaded = upscalers_[name];
  if (!loaded) loaded = std::make_unique<Upscaler>(find_upscaler(name), target_.device);
  return *loaded;
}

void ImageDecoder::check(const ImageSettings& settings, ImageSize size) const {
  if (!settings.upscale.empty()) {
    if (settings.tile) {
      throw UsageError(
          "`tile` and `upscale`: the network does not know that the edges fit each other; make the "
          "tile without `upscale`, with a larger `size` or with `hires`");
    }
    upscaler(settings.upscale).require_memory(size.width_px, size.height_px);
  }
  if (!settings.vae_approx.empty()) tiny(settings.vae_approx);
}

int ImageDecoder::find_side(const at::Tensor& latents, const ImageSettings& settings) const {
  const std::int64_t height = latents.size(2);
  const std::int64_t width = latents.size(3);
  if (height * width <= kSmallLatents) return 0;
  const std::string& name = settings.vae_approx;
  double& bytes = bytes_[name];
  if (bytes == 0) {
    bytes =
        decode_bytes_per_latent(name.empty() ? vae_ : tiny(name), bundle_.info().latent_channels);
  }
  return piece_side(height, width, bytes, static_cast<double>(available_bytes(target_.device)) / 2);
}

at::Tensor ImageDecoder::decode(const at::Tensor& latents, const ImageSettings& settings, int side,
                                bool must_be_exact) const {
  const bool tile = settings.tile;
  if (!settings.vae_approx.empty()) {
    return decode_by(tiny(settings.vae_approx), latents, tile, side);
  }
  const bool is_exact = target_.dtype == at::kFloat;
  if (!must_be_exact || is_exact) {
    const at::Tensor pixels = decode_by(vae_, latents, tile, side);
    if (is_exact || is_finite(pixels)) return pixels;
  }
  if (!exact_vae_) {
    exact_vae_ = std::make_unique<VaeDecoder>(bundle_, ComputeTarget{target_.device, at::kFloat});
  }
  return decode_by(*exact_vae_, latents, tile, side);
}

at::Tensor ImageDecoder::decode_by(const VaeDecoder& by, const at::Tensor& latents, bool tile,
                                   int side) const {
  const int factor = bundle_.info().vae_factor;
  if (tile) return decode_tile(by, latents, factor);
  if (side > 0) return decode_in_pieces(by, latents, side, factor);
  return by.decode(latents);
}

}  // namespace sdx
