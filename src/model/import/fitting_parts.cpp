#include "model/import/fitting_parts.h"

#include <string>

#include "sdx/util/error.h"

namespace sdx {

namespace {

void require_equal(const std::string& file, const char* key, const std::string& meaning,
                   int expected, int found) {
  if (expected == found) return;
  throw DataError(file + ": " + key + ": expected " + meaning + " " + std::to_string(expected) +
                  ", found " + std::to_string(found));
}

/// What a UNet is that reads more channels than it writes: the noisy latents, and behind them what
/// is known of the picture.
std::string name_kind(int in_channels, int latent_channels) {
  if (in_channels == 2 * latent_channels) return "an image-editing model (InstructPix2Pix)";
  if (in_channels == latent_channels + 1) return "a depth-guided model";
  return "an unknown variant";
}

}  // namespace

void require_fitting_parts(const ModelCheckpoint& checkpoint) {
  const UNetConfig& unet = checkpoint.unet_config;
  const std::string& file = checkpoint.unet.source;
  int width = 0;
  for (const CheckpointTextEncoder& encoder : checkpoint.text_encoders) {
    width += encoder.config.width;
  }
  const bool is_alone = checkpoint.text_encoders.size() == 1;
  require_equal(file, "cross_attention_dim",
                is_alone ? "the text encoder's width" : "the text encoders' widths together", width,
                unet.context_width);
  require_equal(file, "projection_class_embeddings_input_dim",
                "room for the text encoder's pooled vector of", checkpoint.pooled_width(),
                unet.pooled_width);
  const int latents = checkpoint.vae_config.latent_channels;
  require_equal(file, "out_channels", "the VAE's latent_channels,", latents, unet.out_channels);
  const int of_inpainting = 2 * latents + 1;
  if (unet.in_channels == latents || unet.in_channels == of_inpainting) return;
  throw DataError(file + ": this is " + name_kind(unet.in_channels, latents) + ": its UNet reads " +
                  std::to_string(unet.in_channels) + " channels, expected " +
                  std::to_string(latents) + ", or " + std::to_string(of_inpainting) +
                  " of an inpainting model");
}

}  // namespace sdx
