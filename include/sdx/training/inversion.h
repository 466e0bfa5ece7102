#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sdx/embedding/embedding.h"
#include "sdx/model/bundle.h"
#include "sdx/model/text_encoder.h"
#include "sdx/model/unet.h"
#include "sdx/model/vae.h"
#include "sdx/tokenizer/tokenizer.h"

namespace sdx {

/// How a new word is learnt.
struct InversionOptions {
  std::string name;       ///< of the embedding, without brackets
  std::string init_text;  ///< its tokens' vectors are the start; empty: the model's own advice
  int vectors = 2;        ///< K, positions of the prompt that the word takes
  int steps = 400;        ///< updates
  int batch_size = 4;     ///< pictures × templates in a step
  double learning_rate = 5e-3;  ///< of Adam, constant
  std::uint64_t seed = 0;       ///< of all picks and all noise
};

/// What one step saw.
struct StepResult {
  double loss = 0;           ///< mean squared error of the prediction
  double gradient_norm = 0;  ///< of the K×W vectors
};

/// Everything that a step computed from, so that another framework can compute it again.
struct StepTrace {
  at::Tensor ids;            ///< [B,S] int64, the prompts' tokens with begin, end and padding
  at::Tensor splices;        ///< [M,3] int64: row of the batch, position in S, row of the vectors
  at::Tensor vectors;        ///< [K,W] float32, as they were before the step
  at::Tensor latents;        ///< [B,4,h,w] float32, scaled, without noise
  at::Tensor noise;          ///< [B,4,h,w] float32
  at::Tensor noisy_latents;  ///< [B,4,h,w] float32, what the UNet saw
  at::Tensor timesteps;      ///< [B] int64
  at::Tensor loss;           ///< [] float32
  at::Tensor gradient;       ///< [K,W] float32, of the loss in the vectors
};

/// Textual inversion (Gal et al. 2022): the model is frozen, and only the vectors of one new word
/// move. Each step takes pictures and templates at random ("a rendering of <Name>"), splices the
/// vectors into the text encoder's input, lets the UNet predict the noise in the pictures' latents,
/// and follows the gradient of its error by Adam (no weight decay, β 0.9 and 0.999), in float32.
///
/// The same arguments give the same bits on the same machine; step n depends on the seed and n, not
/// on what was drawn before. Not thread-safe.
class Inversion {
 public:
  /// The parts of the model, which must outlive the inversion; none of them is changed.
  struct Model {
    const Bundle& bundle;
    const Tokenizer& tokenizer;
    const TextEncoder& text_encoder;
    const UNet& unet;
  };

  /// @param portraits [N,4,h,w], what the VAE's encoder made of the portraits
  /// @param templates sentences with `{name}` in them
  /// @throws UsageError for a name that is no single word or is a word of the vocabulary already,
  /// for
  ///         vectors, steps or batch below 1.
  Inversion(Model model, LatentDistribution portraits, std::vector<std::string> templates,
            const InversionOptions& options);
  ~Inversion();

  /// One update; where `trace` is given, what it saw is put there.
  /// @throws InternalError when loss or gradient is not finite: the vectors are then as before the
  ///         step.
  StepResult step(StepTrace* trace = nullptr);

  int steps_done() const;

  /// Mean loss over a fixed batch: fixed pictures, noise and templates, timesteps spread evenly
  /// over the schedule. Unlike the loss of a step it can be compared over time.
  double fixed_batch_loss() const;

  /// The loss of a step's batch and its gradient, without an update: for tests.
  double loss_at(int step, const at::Tensor& vectors) const;
  at::Tensor gradient_at(int step) const;

  /// The word as it is now; metadata says how it came about.
  Embedding embedding() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// @throws UsageError unless `name` can stand between `<` and `>`: not empty, no blank, no bracket,
///         no path separator, and no whole word of the vocabulary, case as written.
void check_name(const std::string& name, const Tokenizer& tokenizer);

}  // namespace sdx
