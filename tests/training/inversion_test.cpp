#include "sdx/training/inversion.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/equal.h>

#include <cmath>

#include "sdx/generation/generator.h"
#include "sdx/util/error.h"
#include "support/tiny_bundle.h"

#include "support/catch.h"

using sdx::test::tiny_bundle;

namespace {

/// The parts of the tiny model and an inversion of three made-up portraits.
struct Fixture {
  std::unique_ptr<sdx::Tokenizer> tokenizer = tiny_bundle().load_tokenizer();
  sdx::TextEncoder text_encoder{tiny_bundle(), c10::DeviceType::CPU};
  sdx::UNet unet{tiny_bundle(), {}};
  sdx::InversionOptions options;

  Fixture() {
    options.name = "Ada";
    options.init_text = "person";
    options.vectors = 2;
    options.batch_size = 2;
    options.seed = 5;
    options.learning_rate = 0.02;
  }

  static sdx::LatentDistribution portraits() {
    const at::Tensor mean = at::cat({sdx::seed_latents(1, 4, 8, 8), sdx::seed_latents(2, 4, 8, 8),
                                     sdx::seed_latents(3, 4, 8, 8)}) *
                            0.8;
    return {mean, mean * 0 + 0.05};
  }

  sdx::Inversion inversion() const {
    return sdx::Inversion({tiny_bundle(), *tokenizer, text_encoder, unet}, portraits(),
                          {"a photo of {name}", "{name}, smiling", "a rendering of {name}"},
                          options);
  }
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
  const sdx::VaeEncoder vae(tiny_bundle(), {});
  const auto text_before = copies(fixture.text_encoder.parameters());
  const auto unet_before = copies(fixture.unet.parameters());
  const auto vae_before = copies(vae.parameters());
  sdx::Inversion inversion = fixture.inversion();
  const at::Tensor start = inversion.embedding().vectors;
  for (int i = 0; i < 3; ++i) CHECK(inversion.step().gradient_norm > 0);
  CHECK_FALSE(at::equal(inversion.embedding().vectors, start));
  CHECK(bit_identical(text_before, fixture.text_encoder.parameters()));
  CHECK(bit_identical(unet_before, fixture.unet.parameters()));
  CHECK(bit_identical(vae_before, vae.parameters()));
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
  CHECK(inversion.steps_done() == 60);
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

TEST_CASE("training: the start is the vectors of --init, the last one repeated", "[training]") {
  Fixture fixture;
  fixture.options.init_text = "a robot";
  fixture.options.vectors = 3;
  const at::Tensor start = fixture.inversion().embedding().vectors;
  REQUIRE(start.sizes() == at::IntArrayRef({3, 32}));
  CHECK_FALSE(at::equal(start[0], start[1]));
  CHECK(at::equal(start[1], start[2]));
  fixture.options.init_text = "";
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
  fixture.options.init_text = " ";
  CHECK_THROWS_AS(fixture.inversion(), sdx::UsageError);
}

TEST_CASE("training: a loss that is not finite leaves the vectors as they were", "[training]") {
  Fixture fixture;
  fixture.options.learning_rate = 1e38;
  sdx::Inversion inversion = fixture.inversion();
  const auto train = [&] {
    for (int i = 0; i < 5; ++i) inversion.step();
  };
  CHECK_THROWS_AS(train(), sdx::InternalError);
}
