#include "sdx/training/judge.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/argmin.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/stack.h>

#include <algorithm>

#include "sdx/generation/generator.h"
#include "sdx/prompt/prompt.h"
#include "sdx/prompt/prompt_list.h"
#include "sdx/scheduler/prediction.h"
#include "sdx/tensor/noise.h"

namespace sdx {

namespace {

/// Where in the schedule prompts are told apart: with less noise every prompt explains a picture,
/// with more none does.
constexpr double kLeastNoise = 0.4;
constexpr double kMostNoise = 0.9;

using PortraitVectors = std::vector<std::optional<std::vector<float>>>;

/// A vector for each portrait; nothing where no face is seen.
PortraitVectors encode_portraits(const std::vector<Image>& portraits,
                                 const IdentityEncoder& encoder) {
  PortraitVectors vectors;
  for (const Image& portrait : portraits) vectors.push_back(encoder.encode(portrait));
  return vectors;
}

std::vector<std::vector<float>> keep_faces(const PortraitVectors& portraits) {
  std::vector<std::vector<float>> vectors;
  for (const auto& vector : portraits) {
    if (vector) vectors.push_back(*vector);
  }
  return vectors;
}

bool show_one_person(const PortraitVectors& portraits, const IdentityEncoder& encoder) {
  const auto vectors = keep_faces(portraits);
  return 2 * vectors.size() > portraits.size() && are_mostly_one_person(vectors, encoder);
}

}  // namespace

bool knows_the_person(const IdentityEncoder& encoder, const std::vector<Image>& portraits) {
  return show_one_person(encode_portraits(portraits, encoder), encoder);
}

struct Judge::Impl {
  Impl(Inversion::Model parts, const ComputeTarget& target, const IdentityEncoder* encoder,
       const std::vector<Image>& portraits, JudgeOptions selected)
      : model(parts),
        identity(encoder),
        options(std::move(selected)),
        generator(parts.bundle, target, parts.tokenizer, parts.text_encoders, parts.unet),
        schedule(parts.bundle.info().noise_schedule) {
    plain = plain_conditioning();
    if (identity == nullptr) return;
    by_portrait = encode_portraits(portraits, *identity);
    knows_the_person = show_one_person(by_portrait, *identity);
    if (knows_the_person) person = unit_mean(keep_faces(by_portrait));
  }

  /// The prompts with the model's own word for a person, a row for each.
  Conditioning plain_conditioning() const {
    const at::NoGradGuard no_grad;
    std::vector<TokenizedPrompt> prompts;
    for (const std::string& prompt : options.prompts) {
      const std::string filled = fill_name(prompt, model.bundle.info().init_text);
      prompts.push_back(tokenize_prompt(filled, model.tokenizer, {}));
    }
    const int side_px = options.size_px > 0 ? options.size_px : model.bundle.info().native_size_px;
    return encode_prompts(prompts, model.tokenizer, {}, model.text_encoders, {side_px, side_px});
  }

  /// Adds what one of `count` pictures says of likeness. A picture without a face says 0.
  void add_likeness(const Image& image, double count, Evaluation& evaluation) const {
    if (!knows_the_person) return;
    evaluation.likeness_by_portrait.resize(by_portrait.size());
    const auto vector = identity->encode(image);
    const auto compare = [&](const std::vector<float>& other) {
      return vector ? std::max(cosine(*vector, other), 0.0) : 0.0;
    };
    evaluation.likeness += compare(person) / count;
    for (std::size_t i = 0; i < by_portrait.size(); ++i) {
      if (!by_portrait[i]) continue;
      std::optional<double>& sum = evaluation.likeness_by_portrait[i];
      sum = sum.value_or(0) + compare(*by_portrait[i]) / count;
    }
  }

  /// Squared errors of the UNet in `latents` [1,C,h,w] under every prompt, [P].
  at::Tensor errors(const at::Tensor& latents, int timestep, const at::Tensor& noise) const {
    const SamplingPoint point = point_at(schedule, timestep);
    const at::Tensor noisy = noised(latents, noise, point);
    const at::Tensor target =
        prediction_target(latents, noise, point, schedule.config().prediction_type);
    const std::int64_t prompts = plain.rows();
    const at::Tensor prediction = model.unet.forward(
        noisy.expand({prompts, -1, -1, -1}), at::full({prompts}, timestep, at::kLong), plain);
    return (prediction.cpu() - target).pow(2).mean({1, 2, 3});
  }

  /// Share of the draws in which prompt `right` explains the picture best.
  double obedience(const at::Tensor& latents, std::int64_t right,
                   const std::function<void()>& may_stop) const {
    RandomStream stream(options.seed, RandomPurpose::kJudge);
    int obeyed = 0;
    for (int draw = 0; draw < options.draws; ++draw) {
      const double place = (draw + 0.5) / options.draws;
      const double level = kLeastNoise + (kMostNoise - kLeastNoise) * place;
      const auto timestep = static_cast<int>(level * schedule.train_timesteps());
      const at::Tensor noise = normal_noise(latents.sizes(), stream);
      const at::Tensor best = at::argmin(errors(latents, timestep, noise));
      if (best.item<std::int64_t>() == right) ++obeyed;
      if (may_stop) may_stop();
    }
    return static_cast<double>(obeyed) / options.draws;
  }

  Inversion::Model model;
  const IdentityEncoder* identity;
  JudgeOptions options;
  Generator generator;
  NoiseSchedule schedule;
  bool knows_the_person = false;
  std::vector<float> person;    ///< mean of the portraits
  PortraitVectors by_portrait;  ///< see encode_portraits()
  Conditioning plain;           ///< see plain_conditioning()
};

Judge::Judge(Inversion::Model model, const ComputeTarget& target, const IdentityEncoder* identity,
             const std::vector<Image>& portraits, JudgeOptions options)
    : impl_(std::make_unique<Impl>(model, target, identity, portraits, std::move(options))) {}

Judge::~Judge() = default;

bool Judge::knows_the_person() const { return impl_->knows_the_person; }

EvaluatedImages Judge::evaluate(const Embedding& word,
                                const std::function<void()>& may_stop) const {
  const at::NoGradGuard no_grad;
  EmbeddingTable table;
  table.add(word);
  std::vector<ImageRequest> requests;
  for (const std::string& prompt : fill_names(impl_->options.prompts, {word.name})) {
    ImageRequest request;
    request.prompt = prompt;
    request.seed = impl_->options.seed + requests.size();
    request.settings.width_px = impl_->options.size_px;
    request.settings.height_px = impl_->options.size_px;
    request.settings.sampler.steps = impl_->options.steps;
    request.settings.guidance_scale = impl_->model.bundle.info().advice.guidance_scale;
    requests.push_back(std::move(request));
  }

  EvaluatedImages result;
  std::vector<at::Tensor> latents;
  impl_->generator.generate(
      requests, table, {impl_->options.images_at_once, std::nullopt},
      [&](std::size_t, const GeneratedImage& made) {
        result.images.push_back(made.image);
        latents.push_back(made.latents);
      },
      [&](int, int) {
        if (may_stop) may_stop();
      });
  // Not before: pictures come while the UNet still makes others, and it serves one thread at a
  // time.
  const auto count = static_cast<double>(requests.size());
  for (std::size_t i = 0; i < requests.size(); ++i) {
    impl_->add_likeness(result.images[i], count, result.evaluation);
    result.evaluation.obedience +=
        impl_->obedience(latents[i], static_cast<std::int64_t>(i), may_stop) / count;
  }
  return result;
}

}  // namespace sdx
