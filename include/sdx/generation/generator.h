#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sdx/embedding/embedding_table.h"
#include "sdx/image/image.h"
#include "sdx/model/bundle.h"
#include "sdx/model/text_encoder.h"
#include "sdx/model/unet.h"
#include "sdx/scheduler/sampler.h"
#include "sdx/util/device.h"

namespace sdx {

/// One picture to make. Its starting noise depends on the seed alone.
struct ImageRequest {
  std::string prompt;
  std::string negative_prompt;
  std::uint64_t seed = 0;
};

/// How pictures are made; the same for all requests of a call.
struct GenerationOptions {
  int steps = 20;  ///< evaluations of the UNet, 1 … train_timesteps
  double guidance_scale =
      7.0;  ///< prediction = uncond + scale × (cond − uncond); 1 switches it off
  SamplerKind sampler = SamplerKind::kDpmpp2m;
  int width_px = 0;  ///< divisible by 8; 0 is the model's native size
  int height_px = 0;
  int batch_size = 4;  ///< pictures denoised at once; changes speed and memory only
};

struct GeneratedImage {
  Image image;
  at::Tensor latents;  ///< [1,4,h,w] float32 CPU, the final ones, before the VAE
};

/// Called after each step of the sampler with the steps done and to do over all batches; may throw
/// to stop.
using StepObserver = std::function<void(int done, int total)>;

/// Called with each picture as soon as its batch is decoded, in the order of the requests.
using ImageConsumer = std::function<void(std::size_t request, const GeneratedImage& image)>;

/// Prompt and seed → picture. Loads text encoder, UNet and VAE decoder once.
class Generator {
 public:
  /// @throws as Bundle::checked_file.
  Generator(const Bundle& bundle, const ComputeTarget& target);

  /// With parts that are loaded already and outlive the generator: training looks at its own model.
  Generator(const Bundle& bundle, const ComputeTarget& target, const Tokenizer& tokenizer,
            const TextEncoder& text_encoder, const UNet& unet);
  ~Generator();

  /// Checks everything that can be checked before the work: sizes, steps, every placeholder.
  /// @throws UsageError, DataError.
  void check(const std::vector<ImageRequest>& requests, const GenerationOptions& options,
             const EmbeddingTable& embeddings) const;

  /// Makes the pictures, batch after batch; both halves of guidance go through the UNet together.
  /// The same requests, options and machine give the same pixels; a picture made in another batch
  /// differs by rounding only.
  /// @param initial_latents [N,4,h,w] float32 of unit variance instead of the seeds' noise, one for
  ///        each request.
  void generate(const std::vector<ImageRequest>& requests, const GenerationOptions& options,
                const EmbeddingTable& embeddings, const ImageConsumer& consume,
                const StepObserver& observe = {},
                const std::optional<at::Tensor>& initial_latents = std::nullopt) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The starting noise of a seed, [1,4,height,width] float32, unit variance.
at::Tensor seed_latents(std::uint64_t seed, int channels, int height, int width);

}  // namespace sdx
