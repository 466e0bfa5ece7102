#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <filesystem>
#include <optional>
#include <variant>
#include <vector>

namespace sdx {

/// What diffusers calls a file of weights, without its ending. A config.json lies beside it.
inline constexpr const char* kTinyWeightsName = "diffusion_pytorch_model";

/// A convolution of three by three. Without a bias it changes the size: twice as large in a
/// decoder, half as large in an encoder.
struct TinyConvolution {
  at::Tensor weight;  ///< [out,in,3,3] float32
  at::Tensor bias;    ///< [out]; undefined: none

  bool changes_size() const { return !bias.defined(); }
};

/// Three convolutions, which are added to what they see.
struct TinyBlock {
  std::vector<TinyConvolution> convolutions;
  at::Tensor skip;  ///< [out,in,1,1]; undefined: the input itself is added
};

/// What follows each other in an encoder or decoder.
using TinyLayers = std::vector<std::variant<TinyConvolution, TinyBlock>>;

struct TinyAutoencoderWeights {
  TinyLayers decoder;
  std::optional<TinyLayers> encoder;
  int latent_channels = 0;
  int factor = 1;
};

/// Reads and checks the weights of a TinyAutoencoder, in all of its namings.
/// @throws as TinyAutoencoder
TinyAutoencoderWeights read_tiny_autoencoder(const std::filesystem::path& file, c10::Device device);

}  // namespace sdx
