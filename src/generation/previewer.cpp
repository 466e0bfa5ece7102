#include "generation/previewer.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>

#include <utility>
#include <vector>

#include "sdx/image/convert.h"
#include "sdx/image/transform.h"
#include "sdx/util/error.h"

namespace sdx {

Previewer::Previewer(const PreviewOptions& options, PreviewConsumer consume, const BundleInfo& info,
                     const VaeDecoder& decoder, c10::Device device)
    : every_(options.every), consume_(std::move(consume)), factor_(info.vae_factor) {
  const at::NoGradGuard no_grad;
  if (!options.tiny_autoencoder.empty()) {
    tiny_ = load_tiny_autoencoder(options.tiny_autoencoder, "preview-vae", info, device);
    return;
  }
  const auto known = find_latent_colours(info);
  colours_ = known ? *known : fit_latent_colours(decoder, info.latent_channels);
}

void Previewer::show(const at::Tensor& latents, const VaeDecoder* approximate, int step,
                     int steps) const {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> images;
  for (std::int64_t i = 0; i < latents.size(0); ++i) {
    const at::Tensor one = latents.narrow(0, i, 1);
    at::Tensor pixels;
    if (tiny_ != nullptr) {
      pixels = tiny_->decode(one);
    } else if (approximate != nullptr) {
      pixels = approximate->decode(one);
    } else {
      pixels = colours_.colour(one);
    }
    images.push_back(pixels.nan_to_num().cpu());
  }
  const Image image = to_image(at::cat(images, 3));
  const int height_px = static_cast<int>(latents.size(2)) * factor_;
  const int width_px = static_cast<int>(latents.size(3) * latents.size(0)) * factor_;
  const bool is_whole = image.height_px == height_px && image.width_px == width_px;
  consume_({is_whole ? image : resize(image, width_px, height_px), step, steps});
}

std::unique_ptr<const TinyAutoencoder> load_tiny_autoencoder(const std::string& name,
                                                             const std::string& setting,
                                                             const BundleInfo& info,
                                                             c10::Device device) {
  const auto file = find_tiny_autoencoder(name, setting);
  const std::string where = "`" + setting + "` ";
  std::unique_ptr<const TinyAutoencoder> tiny;
  try {
    tiny = std::make_unique<const TinyAutoencoder>(file, device);
  } catch (const DataError& error) {
    throw DataError(where + error.what());
  }
  if (tiny->latent_channels() != info.latent_channels || tiny->factor() != info.vae_factor) {
    const auto describe = [](int channels, int factor) {
      return std::to_string(channels) + " channels, " + std::to_string(factor) +
             " pixels a side for each";
    };
    throw DataError(where + file.string() + ": its latents have " +
                    describe(tiny->latent_channels(), tiny->factor()) + "; those of the model " +
                    info.name + " have " + describe(info.latent_channels, info.vae_factor) +
                    ": it is for other models");
  }
  return tiny;
}

}  // namespace sdx
