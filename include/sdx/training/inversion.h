#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sdx/dataset/latents.h"
#include "sdx/embedding/embedding.h"
#include "sdx/model/bundle.h"
#include "sdx/model/text_encoders.h"
#include "sdx/model/unet.h"
#include "sdx/tokenizer/tokenizer.h"
#include "sdx/training/adam.h"
#include "sdx/training/learning_rate.h"
#include "sdx/util/enum_text.h"

namespace sdx {

/// How the length of the vectors is limited after each step. Left alone it grows, and a long vector
/// drowns out the rest of the prompt.
enum class NormPolicy {
  kFree,        ///< nothing
  kVocabulary,  ///< each row gets the mean length of the vocabulary's rows
  kStart,       ///< each row keeps the length that it started with
};

template <>
inline constexpr std::array kEnumTexts<NormPolicy> = {EnumText{NormPolicy::kFree, "free"},
                                                      EnumText{NormPolicy::kVocabulary, "vocab"},
                                                      EnumText{NormPolicy::kStart, "init"}};

/// The text encoders whose vectors are learnt, of a model with two. The vectors for the other one
/// stay where they started.
enum class TrainedEncoders {
  kBoth,    ///< all that the model has
  kFirst,   ///< of SDXL CLIP ViT-L, whose output is a part of the context
  kSecond,  ///< of SDXL OpenCLIP bigG, whose output is the rest and the pooled vector
};

template <>
inline constexpr std::array kEnumTexts<TrainedEncoders> = {EnumText{TrainedEncoders::kBoth, "both"},
                                                           EnumText{TrainedEncoders::kFirst, "1"},
                                                           EnumText{TrainedEncoders::kSecond, "2"}};

/// Whether the vectors for a text encoder are learnt.
/// @param encoder 0 for the first
bool is_trained(TrainedEncoders trained, std::size_t encoder);

/// @param encoders of the model
/// @throws UsageError if the text encoder to be trained is not there.
void check_train_encoders(TrainedEncoders trained, std::size_t encoders);

/// How a new word is learnt.
struct InversionOptions {
  std::string name;  ///< of the embedding, without brackets
  /// The start: a text, "auto" (best_words) or "cross" (cross_vectors); empty: the model's own
  /// advice.
  std::string init;
  int vectors = 2;     ///< K, positions that the embedding takes
  int batch_size = 4;  ///< pictures × templates that go through the UNet at once
  int accumulate = 1;  ///< batches in a step
  LearningRate learning_rate = LearningRate::parse("0.01");
  int steps = 400;  ///< at most; where the learning rate's cosine ends
  NormPolicy norm = NormPolicy::kFree;
  double min_snr = 0;  ///< γ of the min-SNR weighting (Hang et al. 2023); 0: every timestep alike
  double offset_noise = 0;  ///< noise that a whole channel shares, as a share of the noise's size
  int first_timestep = 0;   ///< least noise that is trained on
  int last_timestep = 999;  ///< most noise
  std::uint64_t seed = 0;   ///< random seed of choices and noise
  GradientMemory memory = GradientMemory::kNormal;
  TrainedEncoders train_encoders = TrainedEncoders::kBoth;
};

/// Rows of the batch on which progress is measured: enough that its timesteps cover the schedule,
/// and no more memory than a batch with its gradient.
int fixed_batch_rows(const InversionOptions& options);

/// Measurements of one step.
struct StepResult {
  double loss = 0;           ///< mean squared error of the prediction
  double gradient_norm = 0;  ///< of all numbers of the vectors
  double learning_rate = 0;
  double vector_norm = 0;  ///< mean length of the rows after the step
  bool skipped = false;    ///< loss or gradient was not finite: the vectors are as before
};

/// Everything that a step computed from, so that another framework can compute it again.
struct StepTrace {
  at::Tensor ids;             ///< [B,S] int64, the prompts' tokens with begin, end and padding
  at::Tensor splices;         ///< [M,3] int64: row of the batch, position in S, row of the vectors
  EmbeddingVectors vectors;   ///< as they were before the step
  at::Tensor latents;         ///< [B,C,h,w] float32, scaled, without noise
  at::Tensor noise;           ///< [B,C,h,w] float32
  at::Tensor noisy_latents;   ///< [B,C,h,w] float32, what the UNet saw
  at::Tensor timesteps;       ///< [B] int64
  at::Tensor size_ids;        ///< [B,6] float32, or undefined where the model takes none
  at::Tensor loss;            ///< [] float32
  EmbeddingVectors gradient;  ///< of the loss in the vectors; 0 for those that are not learnt
};

/// The whole state of an inversion after some steps. Picks and noise follow from seed and step, so
/// no state of a random generator is kept.
struct InversionState {
  EmbeddingVectors vectors;
  EmbeddingVectors start;    ///< where they began
  std::string start_words;   ///< what the start says
  Adam adam;                 ///< moments and number of updates
  int steps = 0;             ///< done, those that were skipped included
  int skipped_in_a_row = 0;  ///< the last steps, if their loss was not finite
};

/// Textual inversion (Gal et al. 2022): the model is frozen, and only the vectors of one new word
/// move. Each step takes pictures and templates at random ("a rendering of <Name>"), splices the
/// vectors into the text encoder's input, lets the UNet predict the noise in the pictures' latents,
/// and follows the gradient of its error by Adam, in float32.
///
/// The same arguments give the same bits on the same machine; step n depends on the seed and n, not
/// on what was drawn before. Not thread-safe.
class Inversion {
 public:
  /// The parts of the model, which must outlive the inversion; none of them is changed.
  struct Model {
    const Bundle& bundle;
    const Tokenizer& tokenizer;
    const TextEncoders& text_encoders;
    const UNet& unet;
  };

  /// @param portraits what the VAE's encoder made of the pictures, and where to look in them
  /// @param templates sentences with `{name}` in them
  /// @param resumed   go on from there instead of from options.init
  /// @throws UsageError for a name that is no single word or is a word of the vocabulary already,
  ///         for vectors, batch, accumulate or steps below 1, timesteps outside the schedule, for a
  ///         second text encoder that the model has not, for a template that names another
  ///         embedding;
  ///         DataError if `resumed` is of another shape.
  Inversion(Model model, PortraitLatents portraits, std::vector<std::string> templates,
            const InversionOptions& options,
            const std::optional<InversionState>& resumed = std::nullopt);
  ~Inversion();

  /// One update. A step whose loss or gradient is not finite is skipped, and counted as a step.
  /// Where `trace` is given, what the step saw is put there.
  StepResult step(StepTrace* trace = nullptr);

  const InversionState& state() const;
  const InversionOptions& options() const;

  /// Mean loss over a fixed batch: fixed pictures, noise and templates, timesteps spread evenly
  /// over the schedule. Unlike the loss of a step it can be compared over time.
  double fixed_batch_loss() const;

  /// The loss of a step's batch and its gradient, without an update: for tests.
  double loss_at(int step, const EmbeddingVectors& vectors) const;
  EmbeddingVectors gradient_at(int step) const;

  /// The word as it is now; metadata says how it came about.
  Embedding embedding() const;

 private:
  friend std::vector<StepResult> step_together(const std::vector<Inversion*>& inversions,
                                               const std::vector<StepTrace*>& traces);

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// One update of each, their rows through text encoder and UNet at once. Each draws what it would
/// draw alone, bit for bit, follows the gradient of its own loss and skips by its own loss; what it
/// gets differs from Inversion::step only by the rounding of larger matrices, and one whose loss is
/// not finite leaves the others as they are. Rows go through apart from each other where they
/// cannot go together: another model, size of picture, way to save memory or length of prompt.
/// Needs the memory of all rows at once; with InversionOptions::accumulate, of a batch of each.
/// @param inversions different ones; each may have its own name, vectors, batch and options.
/// @param traces     empty, or one for each inversion, null where none is wanted.
/// @return one for each inversion. If the model throws, no inversion has changed.
std::vector<StepResult> step_together(const std::vector<Inversion*>& inversions,
                                      const std::vector<StepTrace*>& traces = {});

/// @throws UsageError unless `name` can be that of a new word (name_fault in sdx/util/name.h) and
///         is no whole word of the vocabulary, case as written.
void check_name(const std::string& name, const Tokenizer& tokenizer);

}  // namespace sdx
