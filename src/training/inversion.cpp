#include "sdx/training/inversion.h"

#include <ATen/ops/tensor.h>

#include <cmath>

#include "sdx/prompt/prompt.h"
#include "sdx/prompt/prompt_list.h"
#include "sdx/training/start_vectors.h"
#include "sdx/util/data_folder.h"
#include "sdx/util/error.h"
#include "sdx/util/name.h"
#include "sdx/util/text.h"
#include "sdx/util/utf8.h"
#include "training/batch.h"
#include "training/batch_loss.h"
#include "training/step_trace.h"

namespace sdx {

namespace {

constexpr int kFixedBatchFactor = 4;

/// Of cross initialization: how strongly the vectors are pulled back to their start, as a share of
/// their squared distance. Pang et al. 2024 take 1e-5.
constexpr double kCrossPull = 1e-5;

constexpr const char* kAuto = "auto";
constexpr const char* kCross = "cross";

void check_options(const InversionOptions& options, const Tokenizer& tokenizer,
                   const NoiseSchedule& schedule, std::size_t encoders) {
  check_name(options.name, tokenizer);
  const auto check_count = [](const char* setting, int found, int most) {
    if (found >= 1 && found <= most) return;
    throw SettingError(setting, "1 to " + std::to_string(most), std::to_string(found));
  };
  check_count("vectors", options.vectors, tokenizer.special_tokens().capacity());
  check_count("batch", options.batch_size, 4096);
  check_count("accumulate", options.accumulate, 4096);
  check_count("max-steps", options.steps, 10'000'000);
  check_train_encoders(options.train_encoders, encoders);
  const int last = schedule.train_timesteps() - 1;
  if (options.first_timestep < 0 || options.first_timestep > options.last_timestep ||
      options.last_timestep > last) {
    throw SettingError(
        "timesteps", "MIN:MAX within 0:" + std::to_string(last),
        std::to_string(options.first_timestep) + ":" + std::to_string(options.last_timestep));
  }
}

}  // namespace

bool is_trained(TrainedEncoders trained, std::size_t encoder) {
  return trained == TrainedEncoders::kBoth ||
         (trained == TrainedEncoders::kFirst) == (encoder == 0);
}

void check_train_encoders(TrainedEncoders trained, std::size_t encoders) {
  if (trained != TrainedEncoders::kSecond || encoders > 1) return;
  throw SettingError("train-encoders", "both or 1, for this model has one text encoder",
                     std::string(to_string(trained)));
}

int fixed_batch_rows(const InversionOptions& options) {
  return kFixedBatchFactor * options.batch_size;
}

struct Inversion::Impl {
  Impl(Model parts, PortraitLatents portraits, const std::vector<std::string>& templates,
       const InversionOptions& selected, const std::optional<InversionState>& resumed)
      : model(parts),
        options(selected),
        data{std::move(portraits), {}, NoiseSchedule(parts.bundle.info().noise_schedule)} {
    check_options(options, model.tokenizer, data.schedule, model.text_encoders.size());
    if (options.init.empty()) options.init = model.bundle.info().init_text;
    tokenize_sentences(templates);
    fixed_batch = draw_fixed_batch();
    if (resumed) {
      if (resumed->vectors.widths() != model.bundle.info().text_widths() ||
          resumed->vectors.count() != options.vectors) {
        throw DataError("the checkpoint holds other vectors than this model and `vectors` ask for");
      }
      state = *resumed;
    } else {
      begin();
    }
    pull = options.init == kCross ? kCrossPull : 0;
    if (options.norm == NormPolicy::kVocabulary) vocabulary_norms = mean_vocabulary_norms();
  }

  /// Once, as they stay the same in every step.
  void tokenize_sentences(const std::vector<std::string>& templates) {
    const EmbeddingSizes sizes(std::map<std::string, int>{{options.name, options.vectors}});
    for (const std::string& sentence : fill_names(templates, {options.name})) {
      data.sentences.push_back(tokenize_prompt(sentence, model.tokenizer, sizes));
    }
  }

  EmbeddingVectors text_vectors(const std::string& text) const {
    return phrase_vectors(text, options.vectors, model.tokenizer, model.text_encoders);
  }

  /// Sets the vectors to where options.init says.
  void begin() {
    state.start_words = options.init;
    if (options.init == kAuto) {
      const VectorLoss cost = {
          [this](const EmbeddingVectors& vectors) { return fixed_loss(vectors); },
          [this](const EmbeddingVectors& vectors) { return fixed_gradient(vectors); }};
      FoundWords found = best_words(text_vectors(model.bundle.info().init_text), cost,
                                    model.tokenizer, model.text_encoders);
      state.vectors = found.vectors;
      state.start_words = found.words;
    } else if (options.init == kCross) {
      const auto names = read_prompt_file(data_folder() / "templates" / "names.txt");
      state.vectors = cross_vectors(names, options.vectors, model.tokenizer, model.text_encoders);
    } else {
      state.vectors = text_vectors(options.init);
    }
    state.start = state.vectors;
  }

  /// Of each text encoder's table.
  std::vector<double> mean_vocabulary_norms() const {
    std::vector<std::int64_t> ids(static_cast<std::size_t>(model.tokenizer.vocabulary_size()));
    for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::int64_t>(i);
    std::vector<double> norms;
    for (const TextEncoder& encoder : model.text_encoders) {
      const at::Tensor table = encoder.embed(at::tensor(ids, at::kLong).unsqueeze(0));
      norms.push_back(table.norm(2, {2}).mean().item<double>());
    }
    return norms;
  }

  TrainingBatch draw(int size, RandomPurpose pick, RandomPurpose noise, std::uint64_t index,
                     std::uint64_t noise_index) const {
    return draw_batch(data, options, size, RandomStream(options.seed, pick, index),
                      RandomStream(options.seed, noise, noise_index));
  }

  TrainingBatch draw_step_batch(int step) const {
    const auto index = static_cast<std::uint64_t>(step);
    return draw(options.batch_size * options.accumulate, RandomPurpose::kTrainingPick,
                RandomPurpose::kTrainingNoise, index, index);
  }

  TrainingBatch draw_fixed_batch() const {
    return draw(fixed_batch_rows(options), RandomPurpose::kFixedBatch, RandomPurpose::kFixedBatch,
                0, 1);
  }

  LossRequest request(const TrainingBatch& batch, const EmbeddingVectors& vectors,
                      int parts) const {
    return {model, batch, vectors, options.memory, parts, options.train_encoders};
  }

  double fixed_loss(const EmbeddingVectors& vectors) const {
    return compute_loss(request(fixed_batch, vectors, 1));
  }

  /// In the vectors for all text encoders, also of those that are not learnt: it finds the start.
  EmbeddingVectors fixed_gradient(const EmbeddingVectors& vectors) const {
    LossRequest of_all = request(fixed_batch, vectors, kFixedBatchFactor);
    of_all.trained = TrainedEncoders::kBoth;
    return losses_and_gradients({of_all}).front().gradient;
  }

  EmbeddingVectors with_norm(const EmbeddingVectors& vectors) const {
    if (options.norm == NormPolicy::kFree) return vectors;
    std::vector<at::Tensor> matrices;
    for (std::size_t i = 0; i < vectors.matrices().size(); ++i) {
      const at::Tensor& matrix = vectors.matrix(i);
      if (!is_trained(options.train_encoders, i)) {
        matrices.push_back(matrix);
        continue;
      }
      const at::Tensor unit = matrix / matrix.norm(2, {1}, /*keepdim=*/true);
      matrices.push_back(options.norm == NormPolicy::kVocabulary
                             ? unit * vocabulary_norms[i]
                             : unit * state.start.matrix(i).norm(2, {1}, /*keepdim=*/true));
    }
    return EmbeddingVectors(std::move(matrices));
  }

  /// The gradient of the loss and of the pull back to the start.
  EmbeddingVectors pulled(const EmbeddingVectors& gradient) const {
    return gradient.map([this](const at::Tensor& g, const at::Tensor& now,
                               const at::Tensor& start) { return g + (now - start) * (2 * pull); },
                        state.vectors, state.start);
  }

  /// The end of a step, along the gradient of its loss.
  StepResult update(const LossAndGradient& computed) {
    ++state.steps;
    StepResult result;
    result.loss = computed.loss;
    result.gradient_norm = computed.gradient.norm();
    result.learning_rate = options.learning_rate.at(state.steps, options.steps);
    result.skipped = !std::isfinite(result.loss) || !std::isfinite(result.gradient_norm);
    state.skipped_in_a_row = result.skipped ? state.skipped_in_a_row + 1 : 0;
    if (!result.skipped) {
      state.vectors = with_norm(
          state.adam.update(state.vectors, pulled(computed.gradient), result.learning_rate));
    }
    result.vector_norm = state.vectors.mean_row_norm();
    return result;
  }

  Model model;
  InversionOptions options;
  TrainingData data;
  TrainingBatch fixed_batch;
  InversionState state;
  double pull = 0;                       ///< back to the start
  std::vector<double> vocabulary_norms;  ///< of each text encoder, with NormPolicy::kVocabulary
};

Inversion::Inversion(Model model, PortraitLatents portraits, std::vector<std::string> templates,
                     const InversionOptions& options, const std::optional<InversionState>& resumed)
    : impl_(std::make_unique<Impl>(model, std::move(portraits), templates, options, resumed)) {}

Inversion::~Inversion() = default;

StepResult Inversion::step(StepTrace* trace) { return step_together({this}, {trace}).front(); }

const InversionState& Inversion::state() const { return impl_->state; }

const InversionOptions& Inversion::options() const { return impl_->options; }

double Inversion::fixed_batch_loss() const { return impl_->fixed_loss(impl_->state.vectors); }

double Inversion::loss_at(int step, const EmbeddingVectors& vectors) const {
  return compute_loss(impl_->request(impl_->draw_step_batch(step), vectors, 1));
}

EmbeddingVectors Inversion::gradient_at(int step) const {
  const TrainingBatch batch = impl_->draw_step_batch(step);
  return losses_and_gradients(
             {impl_->request(batch, impl_->state.vectors, impl_->options.accumulate)})
      .front()
      .gradient;
}

Embedding Inversion::embedding() const {
  const InversionOptions& options = impl_->options;
  const InversionState& state = impl_->state;
  const Bundle& bundle = impl_->model.bundle;
  std::map<std::string, std::string> metadata = {
      {"sdx.model", bundle.info().name},
      {"sdx.model_hash", bundle.short_hash()},
      {"sdx.init", state.start_words},
      {"sdx.steps", std::to_string(state.steps)},
      {"sdx.seed", std::to_string(options.seed)},
      {"sdx.portraits", std::to_string(impl_->data.portraits.distribution.mean.size(0))}};
  if (state.vectors.matrices().size() > 1) {
    metadata["sdx.train_encoders"] = std::string(to_string(options.train_encoders));
  }
  return {options.name, state.vectors.clone(), std::move(metadata), {}};
}

std::vector<StepResult> step_together(const std::vector<Inversion*>& inversions,
                                      const std::vector<StepTrace*>& traces) {
  std::vector<TrainingBatch> batches;
  for (const Inversion* inversion : inversions) {
    batches.push_back(inversion->impl_->draw_step_batch(inversion->impl_->state.steps));
  }
  std::vector<LossRequest> requests;
  for (std::size_t i = 0; i < inversions.size(); ++i) {
    const Inversion::Impl& impl = *inversions[i]->impl_;
    requests.push_back(impl.request(batches[i], impl.state.vectors, impl.options.accumulate));
  }
  const std::vector<LossAndGradient> computed = losses_and_gradients(requests);
  std::vector<StepResult> results;
  for (std::size_t i = 0; i < inversions.size(); ++i) {
    Inversion::Impl& impl = *inversions[i]->impl_;
    StepTrace* const trace = traces.empty() ? nullptr : traces[i];
    if (trace != nullptr) {
      *trace = trace_step(batches[i], impl.state.vectors, computed[i], impl.model.tokenizer);
    }
    results.push_back(impl.update(computed[i]));
  }
  return results;
}

void check_name(const std::string& name, const Tokenizer& tokenizer) {
  if (const auto fault = name_fault(name)) {
    throw UsageError("`name` " + quote_text(name) + ": " + *fault +
                     "; expected one word, for example AdaLovelace");
  }
  if (tokenizer.whole_word(name)) {
    throw UsageError("`name` " + name + ": this is a word that the model knows already; take one " +
                     "that it doesn't, for example " + name + "1");
  }
}

}  // namespace sdx
