#include "sdx/training/inversion.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>

#include "sdx/prompt/prompt.h"
#include "sdx/prompt/prompt_list.h"
#include "sdx/scheduler/noise_schedule.h"
#include "sdx/tensor/noise.h"
#include "sdx/util/error.h"

namespace sdx {

namespace {

/// The batch on which progress is measured has this many times the rows of a step's: enough that
/// its timesteps cover the schedule, and no more memory than a step with its gradient.
constexpr int kFixedBatchFactor = 4;

/// One gradient step's worth of data.
struct TrainingBatch {
  at::Tensor latents;                    ///< [B,4,h,w]
  at::Tensor noise;                      ///< [B,4,h,w]
  at::Tensor noisy_latents;              ///< [B,4,h,w]
  at::Tensor target;                     ///< [B,4,h,w], noise or velocity
  at::Tensor timesteps;                  ///< [B] int64
  std::vector<TokenizedPrompt> prompts;  ///< B
};

/// Adam (Kingma & Ba 2015) on one tensor.
class Adam {
 public:
  explicit Adam(double learning_rate) : learning_rate_(learning_rate) {}

  void update(at::Tensor& values, const at::Tensor& gradient) {
    constexpr double kBeta1 = 0.9;
    constexpr double kBeta2 = 0.999;
    constexpr double kEpsilon = 1e-8;
    if (!mean_.defined()) {
      mean_ = gradient * 0;
      square_ = gradient * 0;
    }
    ++updates_;
    mean_ = mean_ * kBeta1 + gradient * (1 - kBeta1);
    square_ = square_ * kBeta2 + gradient * gradient * (1 - kBeta2);
    const at::Tensor mean = mean_ / (1 - std::pow(kBeta1, updates_));
    const at::Tensor square = square_ / (1 - std::pow(kBeta2, updates_));
    values = values - mean / (square.sqrt() + kEpsilon) * learning_rate_;
  }

 private:
  double learning_rate_;
  int updates_ = 0;
  at::Tensor mean_;
  at::Tensor square_;
};

/// K rows that say `text`: its tokens' vectors in order, the last one repeated, or their first K.
at::Tensor start_vectors(const std::string& text, int count, const Tokenizer& tokenizer,
                         const TextEncoder& encoder) {
  std::vector<std::int64_t> ids = tokenizer.encode(text);
  if (ids.empty()) throw UsageError("--init \"" + text + "\": holds no token");
  ids.resize(static_cast<std::size_t>(count), ids.back());
  return encoder.embed(at::tensor(ids, at::kLong).unsqueeze(0)).squeeze(0).cpu().clone();
}

}  // namespace

struct Inversion::Impl {
  Impl(Model parts, LatentDistribution latents, std::vector<std::string> templates,
       const InversionOptions& chosen)
      : model(parts),
        portraits(std::move(latents)),
        options(chosen),
        schedule(parts.bundle.info().noise_schedule),
        adam(chosen.learning_rate) {
    check_name(options.name, model.tokenizer);
    const int most_vectors = model.tokenizer.special_tokens().capacity();
    if (options.vectors < 1 || options.vectors > most_vectors) {
      throw UsageError("--vectors: expected 1 to " + std::to_string(most_vectors) + ", found " +
                       std::to_string(options.vectors));
    }
    if (options.batch_size < 1) throw UsageError("--batch: expected at least 1");
    if (options.init_text.empty()) options.init_text = model.bundle.info().init_text;
    vectors =
        start_vectors(options.init_text, options.vectors, model.tokenizer, model.text_encoder);
    sentences = fill_names(templates, {options.name});
    fixed_batch = draw_fixed_batch();
  }

  EmbeddingTable table_with(const at::Tensor& values) const {
    EmbeddingTable table;
    table.add({options.name, values, {}, {}});
    return table;
  }

  /// `size` rows; the picture, template and place within a stratum of the schedule of each come
  /// from `pick`, their noise from `noise`.
  TrainingBatch draw_batch(int size, RandomStream pick, RandomStream noise) const {
    const auto count = static_cast<std::uint32_t>(portraits.mean.size(0));
    const EmbeddingTable table = table_with(vectors);
    std::vector<at::Tensor> clean;
    std::vector<at::Tensor> noises;
    std::vector<at::Tensor> noisy;
    std::vector<at::Tensor> targets;
    std::vector<std::int64_t> timesteps;
    TrainingBatch batch;
    for (int row = 0; row < size; ++row) {
      const auto picture = static_cast<std::int64_t>(pick.below(count));
      const std::uint32_t sentence = pick.below(static_cast<std::uint32_t>(sentences.size()));
      const int timestep = stratified_timestep(row, size, pick);
      const at::Tensor mean = portraits.mean[picture].cpu();
      const at::Tensor spread = portraits.deviation[picture].cpu();
      const at::Tensor latents = mean + spread * normal_noise(mean.sizes(), noise);
      const at::Tensor epsilon = normal_noise(mean.sizes(), noise);
      const double alpha = schedule.alpha(timestep);
      const double sigma = schedule.sigma(timestep);
      clean.push_back(latents);
      noises.push_back(epsilon);
      noisy.push_back(latents * alpha + epsilon * sigma);
      targets.push_back(predicts_velocity() ? epsilon * alpha - latents * sigma : epsilon);
      timesteps.push_back(timestep);
      batch.prompts.push_back(tokenize_prompt(sentences[sentence], model.tokenizer, table));
    }
    batch.latents = at::stack(clean);
    batch.noise = at::stack(noises);
    batch.noisy_latents = at::stack(noisy);
    batch.target = at::stack(targets);
    batch.timesteps = at::tensor(timesteps, at::kLong);
    return batch;
  }

  /// Uniform over all timesteps for a row, while the rows of a batch cover the schedule evenly: the
  /// loss varies less from step to step, its expectation is the same.
  int stratified_timestep(int row, int size, RandomStream& pick) const {
    constexpr std::uint32_t kResolution = 1U << 24;
    const double within = static_cast<double>(pick.below(kResolution)) / kResolution;
    return static_cast<int>((row + within) / size * schedule.train_timesteps());
  }

  bool predicts_velocity() const {
    return schedule.config().prediction_type == PredictionType::kVelocity;
  }

  TrainingBatch draw_step_batch(int step) const {
    const auto index = static_cast<std::uint64_t>(step);
    return draw_batch(options.batch_size,
                      RandomStream(options.seed, RandomPurpose::kTrainingPick, index),
                      RandomStream(options.seed, RandomPurpose::kTrainingNoise, index));
  }

  TrainingBatch draw_fixed_batch() const {
    return draw_batch(kFixedBatchFactor * options.batch_size,
                      RandomStream(options.seed, RandomPurpose::kFixedBatch, 0),
                      RandomStream(options.seed, RandomPurpose::kFixedBatch, 1));
  }

  at::Tensor loss(const TrainingBatch& batch, const at::Tensor& values) const {
    const at::Tensor context =
        encode_prompts(batch.prompts, model.tokenizer, table_with(values), model.text_encoder);
    const at::Tensor prediction = model.unet.forward(batch.noisy_latents, batch.timesteps, context);
    return (prediction - batch.target.to(prediction.device())).pow(2).mean();
  }

  struct LossAndGradient {
    double loss;
    at::Tensor gradient;
  };

  LossAndGradient loss_and_gradient(const TrainingBatch& batch) const {
    const at::AutoGradMode with_gradient(true);
    const at::Tensor leaf = vectors.clone().set_requires_grad(true);
    const at::Tensor value = loss(batch, leaf);
    const at::Tensor gradient = torch::autograd::grad({value}, {leaf}).front();
    return {value.item<double>(), gradient};
  }

  StepTrace trace_of(const TrainingBatch& batch, const LossAndGradient& result) const {
    const auto max_length = static_cast<std::int64_t>(model.tokenizer.special_tokens().max_length);
    std::size_t chunk_count = 1;
    for (const TokenizedPrompt& prompt : batch.prompts) {
      chunk_count = std::max(chunk_count, prompt.chunks.size());
    }
    const PromptChunk empty = tokenize_prompt("", model.tokenizer, {}).chunks.front();
    std::vector<std::int64_t> ids;
    std::vector<std::int64_t> splices;
    for (std::size_t row = 0; row < batch.prompts.size(); ++row) {
      const std::vector<PromptChunk>& chunks = batch.prompts[row].chunks;
      for (std::size_t i = 0; i < chunk_count; ++i) {
        const PromptChunk& chunk = i < chunks.size() ? chunks[i] : empty;
        ids.insert(ids.end(), chunk.ids.begin(), chunk.ids.end());
        for (const Splice& splice : chunk.splices) {
          splices.insert(splices.end(),
                         {static_cast<std::int64_t>(row),
                          static_cast<std::int64_t>(i) * max_length + splice.position, splice.row});
        }
      }
    }
    StepTrace trace;
    trace.ids =
        at::tensor(ids, at::kLong).reshape({static_cast<std::int64_t>(batch.prompts.size()), -1});
    trace.splices = at::tensor(splices, at::kLong).reshape({-1, 3});
    trace.vectors = vectors.clone();
    trace.latents = batch.latents;
    trace.noise = batch.noise;
    trace.noisy_latents = batch.noisy_latents;
    trace.timesteps = batch.timesteps;
    trace.loss = at::scalar_tensor(result.loss, at::kFloat);
    trace.gradient = result.gradient;
    return trace;
  }

  Model model;
  LatentDistribution portraits;
  InversionOptions options;
  NoiseSchedule schedule;
  std::vector<std::string> sentences;
  at::Tensor vectors;  ///< [K,W] float32 on the CPU
  Adam adam;
  TrainingBatch fixed_batch;
  int steps_done = 0;
};

Inversion::Inversion(Model model, LatentDistribution portraits, std::vector<std::string> templates,
                     const InversionOptions& options)
    : impl_(std::make_unique<Impl>(model, std::move(portraits), std::move(templates), options)) {}

Inversion::~Inversion() = default;

StepResult Inversion::step(StepTrace* trace) {
  const TrainingBatch batch = impl_->draw_step_batch(impl_->steps_done);
  const auto result = impl_->loss_and_gradient(batch);
  const auto& [loss, gradient] = result;
  const double norm = gradient.norm().item<double>();
  if (!std::isfinite(loss) || !std::isfinite(norm)) {
    throw InternalError("step " + std::to_string(impl_->steps_done + 1) +
                        ": the loss or its gradient is not finite; a smaller --lr may help");
  }
  if (trace != nullptr) *trace = impl_->trace_of(batch, result);
  impl_->adam.update(impl_->vectors, gradient);
  ++impl_->steps_done;
  return {loss, norm};
}

int Inversion::steps_done() const { return impl_->steps_done; }

double Inversion::fixed_batch_loss() const {
  const at::NoGradGuard no_grad;
  return impl_->loss(impl_->fixed_batch, impl_->vectors).item<double>();
}

double Inversion::loss_at(int step, const at::Tensor& vectors) const {
  const at::NoGradGuard no_grad;
  return impl_->loss(impl_->draw_step_batch(step), vectors).item<double>();
}

at::Tensor Inversion::gradient_at(int step) const {
  return impl_->loss_and_gradient(impl_->draw_step_batch(step)).gradient;
}

Embedding Inversion::embedding() const {
  const InversionOptions& options = impl_->options;
  const Bundle& bundle = impl_->model.bundle;
  return {options.name,
          impl_->vectors.clone(),
          {{"sdx.model", bundle.info().name},
           {"sdx.model_hash", bundle.short_hash()},
           {"sdx.init", options.init_text},
           {"sdx.steps", std::to_string(impl_->steps_done)},
           {"sdx.seed", std::to_string(options.seed)},
           {"sdx.portraits", std::to_string(impl_->portraits.mean.size(0))}},
          {}};
}

void check_name(const std::string& name, const Tokenizer& tokenizer) {
  const bool spelt_well = placeholder_names(placeholder(name)) == std::vector<std::string>{name} &&
                          name.find('/') == std::string::npos && name.front() != '.';
  if (!spelt_well) {
    throw UsageError("--name \"" + name +
                     "\": expected one word without blanks, '<', '>' or '/'; for example " +
                     "AdaLovelace");
  }
  if (tokenizer.whole_word(name)) {
    throw UsageError("--name " + name + ": this is a word that the model knows already; take one " +
                     "that it doesn't, for example " + name + "1");
  }
}

}  // namespace sdx
