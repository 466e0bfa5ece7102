#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "sdx/device/device.h"
#include "sdx/generation/settings.h"
#include "sdx/model/bundle.h"
#include "sdx/model/upscaler.h"
#include "sdx/model/vae.h"

namespace sdx {

/// Latents → pixels, by the decoder that a picture's settings name, and enlarged where they say so.
/// Decoders and upscalers are loaded when the first picture asks for them. One thread may decode
/// while another one checks.
class ImageDecoder {
 public:
  ImageDecoder(const Bundle& bundle, const ComputeTarget& target);

  /// The model's own.
  const VaeDecoder& vae() const { return vae_; }

  /// The one that ImageSettings::vae_approx names.
  /// @throws as load_tiny_autoencoder().
  const VaeDecoder& tiny(const std::string& name) const;

  /// The one that ImageSettings::upscale names.
  /// @throws as find_upscaler() and Upscaler.
  const Upscaler& upscaler(const std::string& name) const;

  /// Loads what the settings name.
  /// @param size of the picture before it is enlarged
  /// @throws as tiny() and upscaler(); UsageError for `tile` with `upscale`; TryAgainError if the
  ///         enlarged picture would not fit into the memory.
  void check(const ImageSettings& settings, ImageSize size) const;

  /// The side of the pieces in which half of the free memory holds the decoding of a picture, in
  /// latents; 0: whole. Small pictures are not even measured.
  int find_side(const at::Tensor& latents, const ImageSettings& settings) const;

  /// Pixels from finite latents: in single precision where half precision has overflowed, as the
  /// autoencoders of some models do. Never for two threads at once.
  /// @param side          of find_side(); a seamless tile is always decoded whole
  /// @param must_be_exact the latents were made in single precision
  /// @return what is not finite if nothing helps
  at::Tensor decode(const at::Tensor& latents, const ImageSettings& settings, int side,
                    bool must_be_exact) const;

 private:
  at::Tensor decode_by(const VaeDecoder& by, const at::Tensor& latents, bool tile, int side) const;

  Bundle bundle_;
  ComputeTarget target_;
  VaeDecoder vae_;
  mutable std::unique_ptr<VaeDecoder> exact_vae_;  ///< where half precision has overflowed
  mutable std::mutex mutex_;                       ///< of the maps
  mutable std::map<std::string, std::unique_ptr<VaeDecoder>> tiny_;
  mutable std::map<std::string, std::unique_ptr<Upscaler>> upscalers_;
  /// For a latent, by the tiny autoencoder's name, "" for the VAE; 0: not measured yet.
  mutable std::map<std::string, double> bytes_;
};

}  // namespace sdx
