#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <array>
#include <filesystem>
#include <optional>
#include <vector>

namespace sdx {

struct ConvolutionWeights {
  at::Tensor weight;  ///< [out,in,k,k] float32
  at::Tensor bias;    ///< [out]
};

/// Three dense blocks of five convolutions.
using ResidualBlockWeights = std::array<std::array<ConvolutionWeights, 5>, 3>;

struct EsrganWeights {
  int unshuffle = 1;  ///< of so many pixels a side the network makes one with more channels
  ConvolutionWeights first;
  std::vector<ResidualBlockWeights> blocks;
  ConvolutionWeights trunk;
  std::vector<ConvolutionWeights> enlarging;  ///< each behind an enlargement to twice the size
  ConvolutionWeights fine;
  ConvolutionWeights last;

  std::int64_t channels() const { return first.weight.size(0); }
};

struct CompactWeights {
  int scale = 1;
  std::vector<ConvolutionWeights> convolutions;
  std::vector<at::Tensor> slopes;  ///< of all convolutions but the last
};

/// One of the two.
struct UpscalerWeights {
  std::optional<EsrganWeights> esrgan;
  std::optional<CompactWeights> compact;

  int scale() const;
};

/// Reads the weights of an upscaler, see Upscaler, and checks all of their names and shapes.
/// @throws as Upscaler
UpscalerWeights read_upscaler_weights(const std::filesystem::path& file, c10::Device device);

}  // namespace sdx
