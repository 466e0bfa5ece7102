#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sdx/device/device.h"
#include "sdx/embedding/embedding.h"
#include "sdx/image/identity.h"
#include "sdx/image/image.h"
#include "sdx/training/inversion.h"

namespace sdx {

/// The pictures by which a word is judged.
struct JudgeOptions {
  /// Each with `{name}`; each asks for something else, so that it can be seen whether it was
  /// obeyed.
  std::vector<std::string> prompts;
  int size_px = 0;  ///< side of the pictures; 0: the model's native size
  int steps = 12;   ///< of the sampler, for each picture
  int draws = 8;    ///< of noise, by which the model tells the prompts apart
  /// Pictures that go through the UNet together. A fixed number, not what the memory allows: a
  /// resumed training must judge by the same bits.
  int images_at_once = 4;
  std::uint64_t seed = 0;
};

/// Likeness and obedience, each 0 … 1.
struct Evaluation {
  double likeness = 0;   ///< mean cosine of the pictures to the portraits' mean, at least 0
  double obedience = 0;  ///< see Judge
  double score() const { return likeness * obedience; }
  /// Mean cosine of the pictures to each portrait, in the order of the portraits, each at least 0;
  /// nothing for a portrait without a face. Empty where likeness cannot be told, and in an
  /// evaluation that was read from a checkpoint.
  std::vector<std::optional<double>> likeness_by_portrait = {};
};

struct EvaluatedImages {
  Evaluation evaluation;
  std::vector<Image> images;  ///< one for each prompt
};

/// Whether `encoder` sees a face in most of the portraits, and mostly one person. If not, its
/// likeness means nothing.
bool knows_the_person(const IdentityEncoder& encoder, const std::vector<Image>& portraits);

/// Judges a word by its use: by pictures from fixed seeds and prompts.
///
/// Likeness comes from an identity encoder. Obedience from the model itself, which has no other
/// judge at hand: a picture was obedient to its prompt as often as, with noise added to it, that
/// prompt (with the model's own word for a person in place of the name) helps the UNet more to find
/// the noise than each of the other prompts does. Source: Li et al. 2023, "Your Diffusion Model is
/// Secretly a Zero-Shot Classifier". A word that has swallowed its prompt fails there.
class Judge {
 public:
  /// @param portraits what the word should look like
  /// @param identity  outlives the judge; null: likeness cannot be told and is 0
  Judge(Inversion::Model model, const ComputeTarget& target, const IdentityEncoder* identity,
        const std::vector<Image>& portraits, JudgeOptions options);
  ~Judge();

  /// Whether likeness can be told: there is an encoder, and it knows the person.
  bool knows_the_person() const;

  /// @param may_stop called between steps; may throw to stop
  EvaluatedImages evaluate(const Embedding& word, const std::function<void()>& may_stop = {}) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sdx
