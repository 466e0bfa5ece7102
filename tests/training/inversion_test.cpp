#include "sdx/training/inversion.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>

#include <cmath>
#include <numeric>

#include "sdx/generation/noise.h"
#include "sdx/training/checkpoint.h"
#include "sdx/util/error.h"
#include "support/tiny_bundle.h"
#include "support/two_encoders.h"

#include "support/catch.h"

using sdx::test::tiny_bundle;

namespace {

/// The parts of the tiny model and an inversion of three made-up portraits.
struct Fixture {
  std::unique_ptr<sdx::Tokenizer> tokenizer = tiny_bundle().load_tokenizer();
  sdx::TextEncoders text_encoders{tiny_bundle(), c10::DeviceType::CPU};
  sdx::UNet unet{tiny_bundle(), {}};
  sdx::InversionOptions options;

  Fixture() {
    options.name = "Ada";
    options.init = "person";
    options.vectors = 2;
    options.batch_size = 2;
    options.seed = 5;
    options.learning_rate = sdx::LearningRate::parse("0.02");
  }

  static sdx::PortraitLatents portraits() {
    const at::Tensor mean = at::cat({sdx::seed_latents(1, 4, 8, 8), sdx::seed_latents(2, 4, 8, 8),
                                     sdx::seed_latents(3, 4, 8, 8)}) *
                            0.8;
    return {{mean, mean * 0 + 0.05}, {}};
  }

  sdx::Inversion inversion() const {
    return sdx::Inversion({tiny_bundle(), *tokenizer, text_encoders, unet}, portraits(),
                          {"a photo of {name}", "{name}, smiling", "a rendering of {name}"},
                          options);
  }
};

/// Counts how often a text is tokenised.
class CountingTokenizer : public sdx::Tokenizer {
 public:
  explicit CountingTokenizer(const sdx::Tokenizer& counted)
      : Tokenizer(counted.special_tokens()), counted_(counted) {}

  std::vector<std::int64_t> encode(std::string_view text) const override {
    ++calls;
    return counted_.encode(text);
  }
  std::string decode(const std::vector<std::int64_t>& ids) const override {
    return counted_.decode(ids);
  }
  std::string piece(std::int64_t id) const override { return counted_.piece(id); }
  std::optional<std::int64_t> whole_word(std::string_view word) const override {
    return counted_.whole_word(word);
  }
  std::int64_t vocabulary_size() const override { return counted_.vocabulary_size(); }

  mutable int calls = 0;

 private:
  const sdx::Tokenizer& counted_;
};

std::vector<at::Tensor> copies(const std::vector<at::Tensor>& tensors) {
  std::vector<at::Tensor> result;
  for (const at::Tensor& tensor : tensors) result.push_back(tensor.clone());
  return result;
}

bool bit_identical(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!at::equal(a[i], b[i])) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("training: the gradient is that of finite differences", "[training]") {
  const Fixture fixture;
  const sdx::Inversion inversion = fixture.inversion();
  const at::Tensor vectors = inversion.embedding().vectors;
  const at::Tensor gradient = inversion.gradient_at(0);
  REQUIRE(gradient.sizes() == vectors.sizes());
  REQUIRE(gradient.norm().item<double>() > 0);
  // The loss is float32: along the gradient itself the difference is large against its rounding.
  const at::Tensor direction = gradient / gradient.norm();
  const double step = 0.02;
  const double difference = (inversion.loss_at(0, vectors + direction * step) -
                             inversion.loss_at(0, vectors - direction * step)) /
                            (2 * step);
  const double expected = gradient.norm().item<double>();
  INFO("finite difference " << difference << ", gradient " << expected);
  CHECK(std::abs(difference - expected) < 0.02 * expected);
}

TEST_CASE("training: only the vectors move; the model is bit-identical afterwards", "[training]") {
  const Fixture fixture;
  const auto text_before = copies(fixture.text_encoders.parameters());
  const auto unet_before = copies(fixture.unet.parameters());
  sdx::Inversion inversion = fixture.inversion();
  const at::Tensor start = inversion.embedding().vectors;
  for (int i = 0; i < 3; ++i) CHECK(inversion.step().gradient_norm > 0);
  CHECK_FALSE(at::equal(inversion.embedding().vectors, start));
  CHECK(bit_identical(text_before, fixture.text_encoders.parameters()));
  CHECK(bit_identical(unet_before, fixture.unet.parameters()));
  for (const at::Tensor& parameter : fixture.unet.parameters()) {
    CHECK_FALSE(parameter.requires_grad());
    CHECK_FALSE(parameter.grad().defined());
  }
}

TEST_CASE("training: a trace is what the step computed from", "[training]") {
  const Fixture fixture;
  sdx::Inversion inversion = fixture.inversion();
  const at::Tensor start = inversion.embedding().vectors;
  const at::Tensor gradient = inversion.gradient_at(0);
  sdx::StepTrace trace;
  const sdx::StepResult result = inversion.step(&trace);
  CHECK(at::equal(trace.vectors, start));
  CHECK(at::equal(trace.gradient, gradient));
  CHECK(std::abs(trace.loss.item<double>() - result.loss) < 1e-6);
  CHECK(trace.ids.sizes() == at::IntArrayRef({2, 77}));
  CHECK(trace.splices.sizes() == at::IntArrayRef({4, 3}));  // two rows, two vectors
  const sdx::NoiseSchedule schedule(tiny_bundle().info().noise_schedule);
  for (std::int64_t row = 0; row < 2; ++row) {
    const int timestep = static_cast<int>(trace.timesteps[row].item<std::int64_t>());
    const at::Tensor expected =
        trace.latents[row] * schedule.alpha(timestep) + trace.noise[row] * schedule.sigma(timestep);
    CHECK(sdx::test::max_difference(trace.noisy_latents[row], expected) < 1e-6);
  }
}

TEST_CASE("training: loss on a fixed batch falls", "[training]") {
  const Fixture fixture;
  sdx::Inversion inversion = fixture.inversion();
  const double before = inversion.fixed_batch_loss();
  CHECK(inversion.fixed_batch_loss() == before);
  for (int i = 0; i < 60; ++i) inversion.step();
  INFO(before << " -> " << inversion.fixed_batch_loss());
  CHECK(inversion.fixed_batch_loss() < before);
  CHECK(inversion.state().steps == 60);
}

TEST_CASE("training: the same seed gives the same bits, another seed others", "[training]") {
  Fixture fixture;
  const auto train = [&] {
    sdx::Inversion inversion = fixture.inversion();
    for (int i = 0; i < 3; ++i) inversion.step();
    return inversion.embedding().vectors;
  };
  const at::Tensor first = train();
  CHECK(at::equal(first, train()));
  fixture.options.seed = 6;
  CHECK_FALSE(at::equal(first, train()));
}

TEST_CASE("training: the start is the vectors of --init, or what the model advises", "[training]") {
  Fixture fixture;
  fixture.options.init = "a robot";
  fixture.options.vectors = 3;
  const at::Tensor start = fixture.inversion().embedding().vectors;
  REQUIRE(start.sizes() == at::IntArrayRef({3, 32}));
  CHECK(at::equal(start[0], start[1]));
  CHECK_FALSE(at::equal(start[1], start[2]));
  fixture.options.init = "";
  CHECK(fixture.inversion().embedding().metadata.at("sdx.init") == "person");
}

TEST_CASE("training: metadata says how, and neither where nor by whom", "[training]") {
  const Fixture fixture;
  sdx::Inversion inversion = fixture.inversion();
  inversion.step();
  const auto metadata = inversion.embedding().metadata;
  CHECK(metadata.at("sdx.model") == "tiny");
  CHECK(metadata.at("sdx.steps") == "1");
  CHECK(metadata.at("sdx.seed") == "5");
  CHECK(metadata.at("sdx.portraits") == "3");
  for (const auto& [key, value] : metadata) CHECK(value.find('/') == std::string::npos);
}

TEST_CASE("training: names and numbers that cannot be are usage errors", "[training]") {
  Fixture fixture;
  for (const char* name : {"", "two words", "a<b", "a/b", "..", "robot"}) {
    INFO(name);
    fixture.options.name = name;
    CHECK_THROWS_AS(fixture.inversion(), sdx::UsageError);
  }
  for (const char* name : {"Ada", "Robot", "Jürgen", "ada-2"}) {
    INFO(name);
    fixture.options.name = name;
    CHECK_NOTHROW(fixture.inversion());
  }
  fixture.options.vectors = 76;
  CHECK_THROWS_AS(fixture.inversion(), sdx::UsageError);
  fixture.options.vectors = 1;
  fixture.options.batch_size = 0;
  CHECK_THROWS_AS(fixture.inversion(), sdx::UsageError);
  fixture.options.batch_size = 1;
  fixture.options.init = " ";
  CHECK_THROWS_AS(fixture.inversion(), sdx::UsageError);
}

TEST_CASE("training: the sentences are tokenised once, not in each step", "[training]") {
  Fixture fixture;
  const CountingTokenizer tokenizer(*fixture.tokenizer);
  sdx::Inversion inversion({tiny_bundle(), tokenizer, fixture.text_encoders, fixture.unet},
                           Fixture::portraits(), {"a photo of {name}", "{name}, smiling"},
                           fixture.options);
  CHECK(tokenizer.calls == 3);  // the two sentences' texts and the start's
  for (int i = 0; i < 3; ++i) inversion.step();
  inversion.fixed_batch_loss();
  CHECK(tokenizer.calls == 3);
  CHECK_THROWS_AS(sdx::Inversion({tiny_bundle(), tokenizer, fixture.text_encoders, fixture.unet},
                                 Fixture::portraits(), {"{name} and <Somebody>"}, fixture.options),
                  sdx::UsageError);
}

TEST_CASE("training: a step whose loss is not finite is skipped and counted", "[training]") {
  Fixture fixture;
  fixture.options.learning_rate = sdx::LearningRate::parse("1e38");
  sdx::Inversion inversion = fixture.inversion();
  CHECK_FALSE(inversion.step().skipped);  // the loss was finite; what it led to is not
  const at::Tensor after = inversion.embedding().vectors;
  for (int i = 0; i < 3; ++i) CHECK(inversion.step().skipped);
  CHECK(at::equal(inversion.embedding().vectors, after));
  CHECK(inversion.state().steps == 4);
  CHECK(inversion.state().skipped_in_a_row == 3);
}

TEST_CASE("training: accumulated batches are one larger batch", "[training]") {
  Fixture fixture;
  fixture.options.batch_size = 4;
  const at::Tensor whole = fixture.inversion().gradient_at(0);
  fixture.options.batch_size = 1;
  fixture.options.accumulate = 4;
  const at::Tensor parts = fixture.inversion().gradient_at(0);
  CHECK(sdx::test::max_difference(whole, parts) < 1e-5 * whole.abs().max().item<double>() + 1e-9);
}

TEST_CASE("training: each policy of norms holds after each step", "[training]") {
  Fixture fixture;
  const auto lengths = [&](sdx::NormPolicy policy) {
    fixture.options.norm = policy;
    sdx::Inversion inversion = fixture.inversion();
    for (int i = 0; i < 3; ++i) inversion.step();
    const at::Tensor start = inversion.state().start.only().norm(2, {1});
    return std::pair(inversion.state().vectors.only().norm(2, {1}), start);
  };
  const auto [free, start] = lengths(sdx::NormPolicy::kFree);
  CHECK(sdx::test::max_difference(free, start) > 1e-3);
  const auto [anchored, same_start] = lengths(sdx::NormPolicy::kStart);
  CHECK(sdx::test::max_difference(anchored, same_start) < 1e-5);
  const auto [vocabulary, ignored] = lengths(sdx::NormPolicy::kVocabulary);
  std::vector<std::int64_t> ids(static_cast<std::size_t>(fixture.tokenizer->vocabulary_size()));
  std::iota(ids.begin(), ids.end(), 0);
  const double mean = fixture.text_encoders.front()
                          .embed(at::tensor(ids, at::kLong).unsqueeze(0))
                          .norm(2, {2})
                          .mean()
                          .item<double>();
  for (std::int64_t row = 0; row < 2; ++row) {
    CHECK(std::abs(vocabulary[row].item<double>() - mean) < 1e-5);
  }
}

TEST_CASE("training: timesteps stay within their bounds", "[training]") {
  Fixture fixture;
  fixture.options.first_timestep = 300;
  fixture.options.last_timestep = 310;
  sdx::Inversion inversion = fixture.inversion();
  sdx::StepTrace trace;
  for (int i = 0; i < 20; ++i) {
    inversion.step(&trace);
    CHECK(trace.timesteps.min().item<std::int64_t>() >= 300);
    CHECK(trace.timesteps.max().item<std::int64_t>() <= 310);
  }
  fixture.options.last_timestep = 1000;
  CHECK_THROWS_AS(fixture.inversion(), sdx::UsageError);
  fixture.options.last_timestep = 299;
  CHECK_THROWS_AS(fixture.inversion(), sdx::UsageError);
}

TEST_CASE("training: offset noise is shared by a channel", "[training]") {
  Fixture fixture;
  sdx::StepTrace plain;
  fixture.inversion().step(&plain);
  fixture.options.offset_noise = 0.5;
  sdx::StepTrace offset;
  fixture.inversion().step(&offset);
  const at::Tensor difference = offset.noise[0] - plain.noise[0];
  CHECK(difference.abs().max().item<double>() > 0.01);
  const at::Tensor channel = difference[0];
  CHECK(sdx::test::max_difference(channel, channel * 0 + channel.mean()) < 1e-5);
}

TEST_CASE("training: min-SNR takes weight from timesteps with little noise", "[training]") {
  Fixture fixture;
  fixture.options.batch_size = 1;
  fixture.options.first_timestep = 5;
  fixture.options.last_timestep = 5;
  sdx::Inversion plain = fixture.inversion();
  const double loss = plain.step().loss;
  fixture.options.min_snr = 5;
  const double weighted = fixture.inversion().step().loss;
  const sdx::NoiseSchedule schedule(tiny_bundle().info().noise_schedule);
  const double snr = std::pow(schedule.alpha(5) / schedule.sigma(5), 2);
  CHECK(std::abs(weighted - loss * 5 / snr) < 1e-6);
}

TEST_CASE("training: a mask weighs the error, with mean 1", "[training]") {
  Fixture fixture;
  fixture.options.batch_size = 1;
  const auto loss = [&](double upper_half, double lower_half) {
    sdx::PortraitLatents portraits = Fixture::portraits();
    portraits.mask = at::ones({3, 1, 8, 8});
    portraits.mask.slice(2, 0, 4) *= upper_half;
    portraits.mask.slice(2, 4, 8) *= lower_half;
    return sdx::Inversion(
               {tiny_bundle(), *fixture.tokenizer, fixture.text_encoders, fixture.unet}, portraits,
               {"a photo of {name}", "{name}, smiling", "a rendering of {name}"}, fixture.options)
        .step()
        .loss;
  };
  const double whole = fixture.inversion().step().loss;
  CHECK(std::abs(loss(1, 1) - whole) < 1e-6);
  CHECK(std::abs(loss(1, 0) - loss(0, 1)) > 1e-4);
  CHECK(std::abs((loss(1, 0) + loss(0, 1)) / 2 - whole) < 1e-5);
}

TEST_CASE("training: a resumed inversion goes on with the same bits", "[training]") {
  Fixture fixture;
  fixture.options.norm = sdx::NormPolicy::kStart;
  sdx::Inversion whole = fixture.inversion();
  for (int i = 0; i < 5; ++i) whole.step();
  sdx::Inversion first = fixture.inversion();
  for (int i = 0; i < 2; ++i) first.step();
  const sdx::InversionState state = first.state();
  sdx::Inversion second({tiny_bundle(), *fixture.tokenizer, fixture.text_encoders, fixture.unet},
                        Fixture::portraits(),
                        {"a photo of {name}", "{name}, smiling", "a rendering of {name}"},
                        fixture.options, state);
  for (int i = 0; i < 3; ++i) second.step();
  CHECK(at::equal(whole.state().vectors, second.state().vectors));
  CHECK(whole.fixed_batch_loss() == second.fixed_batch_loss());
  fixture.options.vectors = 3;
  CHECK_THROWS_AS(
      sdx::Inversion({tiny_bundle(), *fixture.tokenizer, fixture.text_encoders, fixture.unet},
                     Fixture::portraits(), {"{name}"}, fixture.options, state),
      sdx::DataError);
}

namespace {

/// An inversion on a model with two text encoders, and its parts.
struct TwoEncoders {
  sdx::test::TempFolder folder;
  Fixture fixture;
  sdx::Bundle bundle =
      sdx::test::save_two_encoders(folder.path(), fixture.tokenizer->special_tokens().max_length);
  sdx::TextEncoders text_encoders{bundle, c10::DeviceType::CPU};
  sdx::UNet unet{bundle, {}};

  sdx::Inversion inversion(const std::optional<sdx::InversionState>& resumed = std::nullopt) const {
    return sdx::Inversion({bundle, *fixture.tokenizer, text_encoders, unet}, Fixture::portraits(),
                          {"a photo of {name}", "{name}, smiling"}, fixture.options, resumed);
  }
};

}  // namespace

TEST_CASE("training: with two text encoders the gradient of each is that of finite differences",
          "[training]") {
  const TwoEncoders model;
  const sdx::Inversion inversion = model.inversion();
  const sdx::EmbeddingVectors vectors = inversion.embedding().vectors;
  const sdx::EmbeddingVectors gradient = inversion.gradient_at(0);
  REQUIRE(gradient.widths() == std::vector<std::int64_t>{2, 1});
  for (const std::size_t encoder : {0U, 1U}) {
    INFO("text encoder " << encoder);
    const auto moved = [&](double step) {
      std::vector<at::Tensor> matrices = vectors.matrices();
      const at::Tensor& along = gradient.matrix(encoder);
      matrices[encoder] = matrices[encoder] + along / along.norm() * step;
      return inversion.loss_at(0, sdx::EmbeddingVectors(matrices));
    };
    // The loss of this model is quadratic, so any step will do.
    const double difference = (moved(1) - moved(-1)) / 2;
    const double expected = gradient.matrix(encoder).norm().item<double>();
    CHECK(expected > 0);
    CHECK(std::abs(difference - expected) < 0.02 * expected);
  }
}

TEST_CASE("training: two text encoders learn together, and go on from a checkpoint bit for bit",
          "[training]") {
  const TwoEncoders model;
  sdx::Inversion whole = model.inversion();
  const sdx::EmbeddingVectors start = whole.state().start;
  for (int i = 0; i < 2; ++i) whole.step();
  CHECK_FALSE(at::equal(whole.state().vectors.matrix(0), start.matrix(0)));
  CHECK_FALSE(at::equal(whole.state().vectors.matrix(1), start.matrix(1)));

  sdx::Checkpoint written;
  written.state.inversion = whole.state();
  written.state.best_vectors = start;
  sdx::write_checkpoint(model.folder.path(), written);
  const auto file = model.folder.path() / (sdx::step_name(2) + ".safetensors");
  const sdx::TensorMap tensors = sdx::map_safetensors(file).tensors;
  for (const char* name : {"vectors", "start", "adam.mean", "adam.square", "best_vectors"}) {
    CHECK(tensors.at(name).size(1) == 2);
    CHECK(tensors.at(std::string(name) + ".2").size(1) == 1);
  }
  const sdx::TrainingState back = sdx::read_checkpoint(file).state;
  CHECK(are_equal(back.best_vectors, start));
  sdx::Inversion resumed = model.inversion(back.inversion);
  sdx::StepTrace trace;
  resumed.step(&trace);
  whole.step();
  CHECK(are_equal(resumed.state().vectors, whole.state().vectors));
  CHECK(trace.vectors.widths() == std::vector<std::int64_t>{2, 1});
  CHECK(trace.gradient.widths() == std::vector<std::int64_t>{2, 1});

  Fixture one;
  CHECK_THROWS_AS(sdx::Inversion({tiny_bundle(), *one.tokenizer, one.text_encoders, one.unet},
                                 Fixture::portraits(), {"{name}"}, one.options, back.inversion),
                  sdx::DataError);
}
