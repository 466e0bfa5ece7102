#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>

#include "sdx/generation/preview.h"
#include "sdx/model/tiny_autoencoder.h"

namespace sdx {

/// Makes the previews of a generator.
class Previewer {
 public:
  /// @param decoder of the model; asked here only, as it is not for two threads at once
  /// @throws as load_tiny_autoencoder
  Previewer(const PreviewOptions& options, PreviewConsumer consume, const BundleInfo& info,
            const VaeDecoder& decoder, c10::Device device);

  /// Whether there is one behind this step.
  /// @param step, steps of the pass, from 1
  bool is_due(int step, int steps) const { return step < steps && step % every_ == 0; }

  /// @param latents  [B,C,h,w], the pictures that the model sees
  /// @param approximate what decodes the pictures in place of the VAE; null: the VAE does
  void show(const at::Tensor& latents, const VaeDecoder* approximate, int step, int steps) const;

 private:
  int every_;
  PreviewConsumer consume_;
  int factor_;
  std::unique_ptr<const TinyAutoencoder> tiny_;
  LatentColours colours_;
};

/// The tiny autoencoder that a setting names.
/// @param setting for messages
/// @throws DataError if its latents are not the model's; as find_tiny_autoencoder and
///         TinyAutoencoder, naming the setting.
std::unique_ptr<const TinyAutoencoder> load_tiny_autoencoder(const std::string& name,
                                                             const std::string& setting,
                                                             const BundleInfo& info,
                                                             c10::Device device);

}  // namespace sdx
