#pragma once

#include <ATen/ops/cat.h>

#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sdx/generation/noise.h"
#include "sdx/training/trainer.h"
#include "support/listener.h"
#include "support/tiny_bundle.h"

namespace sdx::test {

/// Sees the same person in every picture, a little differently in brighter ones.
class OnePerson : public IdentityEncoder {
 public:
  std::optional<std::vector<float>> encode(const Image& image) const override {
    double sum = 0;
    for (const std::uint8_t value : image.rgb) sum += value;
    const double angle = sum / static_cast<double>(image.rgb.size()) / 255;
    return std::vector<float>{static_cast<float>(std::cos(angle)),
                              static_cast<float>(std::sin(angle))};
  }
  double same_person_cosine() const override { return 0.5; }
};

/// A person to be learnt, and what became of it.
struct Trainee {
  InversionOptions options;
  at::Tensor latents;  ///< [N,4,8,8]
  TrainerOptions trainer;
  const Judge* judge = nullptr;
  Listener events;
  TrainingState state;
  std::unique_ptr<Inversion> inversion;

  TrainerTask task() { return {*inversion, judge, trainer, state, {&events}}; }
};

/// The tiny model and three people who take 14, 6 and 17 steps with two vectors, one and two.
struct Trainees {
  std::unique_ptr<Tokenizer> tokenizer = tiny_bundle().load_tokenizer();
  TextEncoders text_encoders{tiny_bundle(), c10::DeviceType::CPU};
  UNet unet{tiny_bundle(), {}};
  OnePerson identity;

  Inversion::Model model() const { return {tiny_bundle(), *tokenizer, text_encoders, unet}; }

  Judge judge() const {
    JudgeOptions look;
    look.prompts = {"a photo of {name}", "{name}, snow"};
    look.steps = 2;
    look.draws = 2;
    return {model(), {}, &identity, {Image(64, 64), Image(64, 64)}, look};
  }

  /// Makes the inversion of the trainee's options; it goes on from the state if there is one.
  void begin(Trainee& one) const {
    std::optional<InversionState> resumed;
    if (one.state.inversion.vectors.defined()) resumed = one.state.inversion;
    one.inversion = std::make_unique<Inversion>(
        model(), PortraitLatents{{one.latents, one.latents * 0 + 0.05}, {}},
        std::vector<std::string>{"a photo of {name}", "{name}, smiling"}, one.options, resumed);
  }

  std::vector<Trainee> all() const {
    const std::vector<std::string> names = {"Ada", "Ben", "Chloe"};
    const std::vector<int> steps = {14, 6, 17};
    std::vector<Trainee> people(names.size());
    for (std::size_t i = 0; i < people.size(); ++i) {
      Trainee& one = people[i];
      one.options.name = names[i];
      one.options.batch_size = 1;
      one.options.seed = i;
      one.options.steps = steps[i];
      one.options.vectors = i == 1 ? 1 : 2;
      one.latents = at::cat({seed_latents(10 * i, 4, 8, 8), seed_latents(10 * i + 1, 4, 8, 8)});
      one.trainer.stop_when_settled = false;
      one.trainer.milestone_steps = 5;
      begin(one);
    }
    return people;
  }

  std::vector<Trainee> all_trained_alone() const {
    std::vector<Trainee> people = all();
    for (Trainee& one : people) train(*one.inversion, nullptr, one.trainer, one.state, {});
    return people;
  }
};

inline std::vector<TrainerOutcome> train_together(std::vector<Trainee>& people) {
  std::vector<TrainerTask> tasks;
  for (Trainee& one : people) tasks.push_back(one.task());
  return train_together(tasks);
}

/// What is wrong with `one` if it should be `expected` but for the rounding of larger matrices
/// (measured: 2e-7 at most); empty if nothing is.
inline std::string difference(const Trainee& one, const Trainee& expected) {
  constexpr double kRounding = 1e-5;
  const TrainingState& state = one.state;
  const TrainingState& other = expected.state;
  if (state.inversion.steps != other.inversion.steps) return "steps";
  if (one.inversion->state().steps != expected.inversion->state().steps) return "inversion";
  if (state.best_step != other.best_step) return "best step";
  if (max_difference(state.inversion.vectors, other.inversion.vectors) > kRounding) {
    return "vectors";
  }
  if (max_difference(state.best_vectors, other.best_vectors) > kRounding) return "best vectors";
  if (state.curve.size() != other.curve.size()) return "length of the curve";
  for (std::size_t i = 0; i < state.curve.size(); ++i) {
    if (state.curve[i].step != other.curve[i].step) return "steps of the curve";
    if (std::abs(state.curve[i].loss - other.curve[i].loss) > kRounding) return "curve";
  }
  return "";
}

}  // namespace sdx::test
