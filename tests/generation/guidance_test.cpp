// What of a step the UNet computes when a picture is approximated, against the same by hand.

#include "sdx/generation/guidance.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/full_like.h>

#include <cmath>

#include "generation/request_check.h"
#include "sdx/tensor/noise.h"
#include "support/tiny_bundle.h"
#include "support/two_encoders.h"

#include "support/catch.h"

using sdx::test::tiny_bundle;

namespace {

constexpr double kTimestep = 500;
constexpr sdx::ImageSize kSize{64, 64};

at::Tensor noise(std::uint64_t seed) {
  sdx::RandomStream stream(seed, sdx::RandomPurpose::kTrainingNoise);
  return sdx::normal_noise({1, 4, 8, 8}, stream);
}

double relative_difference(const at::Tensor& a, const at::Tensor& b) {
  return ((a - b).norm() / b.norm()).item<double>();
}

/// The tiny model, and what its UNet says to a text.
struct Model {
  const at::NoGradGuard no_grad;
  std::unique_ptr<sdx::Tokenizer> tokenizer = tiny_bundle().load_tokenizer();
  sdx::EmbeddingTable embeddings;
  sdx::TextEncoders encoders{tiny_bundle(), at::kCPU};
  sdx::UNet unet{tiny_bundle(), {}};
  sdx::PromptCache prompts;
  sdx::ContextCache contexts{*tokenizer, embeddings, encoders, prompts};

  sdx::Conditioning context(const std::string& text) {
    return contexts.conditioning(sdx::parse_text(text, sdx::Grammar::kA1111), 1, kSize);
  }

  at::Tensor output(const std::string& text, const at::Tensor& sample) {
    return unet.forward(sample, at::full({1}, kTimestep), context(text));
  }

  sdx::Guidance guidance(const std::string& prompt, double end, int interval = 1, int steps = 4,
                         int first_step = 0, bool tile = false) {
    sdx::ImageRequest request;
    request.prompt = prompt;
    request.negative_prompt = "red";
    request.settings.guidance_end = end;
    request.settings.feature_interval = interval;
    request.settings.tile = tile;
    return {{request}, {steps, 0}, first_step, kSize, unet, contexts};
  }

  /// With the guidance scale that holds where none is said.
  at::Tensor guided(const std::string& text, const at::Tensor& sample) {
    const at::Tensor negative = output("red", sample);
    return negative + 7 * (output(text, sample) - negative);
  }
};

}  // namespace

TEST_CASE("generation: guidance ends after its share of the steps", "[generation]") {
  Model model;
  const at::Tensor x = noise(1);
  sdx::Guidance half = model.guidance("robot", 0.5);
  for (const int step : {0, 1}) {
    CHECK(relative_difference(half.predict(x, kTimestep, step), model.guided("robot", x)) < 1e-5);
  }
  for (const int step : {2, 3}) {
    CHECK(at::equal(half.predict(x, kTimestep, step), model.output("robot", x)));
  }
  CHECK(at::equal(model.guidance("robot", 0).predict(x, kTimestep, 0), model.output("robot", x)));
  const at::Tensor always = model.guidance("robot", 1).predict(x, kTimestep, 3);
  CHECK(relative_difference(always, model.guided("robot", x)) < 1e-5);
  // A little guidance is a step at least.
  const at::Tensor little = model.guidance("robot", 0.01).predict(x, kTimestep, 0);
  CHECK(relative_difference(little, model.guided("robot", x)) < 1e-5);
}

TEST_CASE("generation: a walk from the middle is guided where the whole walk is", "[generation]") {
  Model model;
  const at::Tensor x = noise(1);
  sdx::Guidance later = model.guidance("robot", 0.75, 1, 4, 2);
  CHECK(relative_difference(later.predict(x, kTimestep, 0), model.guided("robot", x)) < 1e-5);
  CHECK(at::equal(later.predict(x, kTimestep, 1), model.output("robot", x)));
}

TEST_CASE("generation: without guidance a composed prompt is the mean of what attracts",
          "[generation]") {
  Model model;
  const at::Tensor x = noise(1);
  const at::Tensor mean = (model.output("robot", x) + 3 * model.output("snow", x)) / 4;
  sdx::Guidance composed = model.guidance("robot AND snow:3 AND hat:-2", 0);
  CHECK(relative_difference(composed.predict(x, kTimestep, 0), mean) < 1e-5);
  const auto last_of = [&](const std::string& prompt, double end) {
    return model.guidance(prompt, end).predict(x, kTimestep, 3);
  };
  CHECK(at::equal(last_of("robot:0.3", 0), model.output("robot", x)));
  CHECK(at::equal(last_of("robot:-1", 0), last_of("robot:-1", 1)));
}

TEST_CASE("generation: features are reused in all evaluations but every so manieth",
          "[generation]") {
  Model model;
  const at::Tensor timestep = at::full({2}, kTimestep);
  const sdx::Conditioning contexts =
      sdx::Conditioning::concatenate({model.context("red"), model.context("robot")});
  const auto twice = [](const at::Tensor& x) { return at::cat({x, x}); };
  const auto guided = [](const at::Tensor& rows) {
    return rows.narrow(0, 0, 1) + 7 * (rows.narrow(0, 1, 1) - rows.narrow(0, 0, 1));
  };
  sdx::Guidance guidance = model.guidance("robot", 1, 3, 7);
  at::Tensor features;
  for (int step = 0; step < 7; ++step) {
    INFO("step " << step);
    const at::Tensor x = noise(static_cast<std::uint64_t>(step));
    const at::Tensor found = guidance.predict(x, kTimestep, step);
    const sdx::KeptPass full = model.unet.forward_keeping(twice(x), timestep, contexts);
    if (step % 3 == 0) {
      features = full.features;
      CHECK(relative_difference(found, guided(full.output)) < 1e-5);
    } else {
      const at::Tensor reused = model.unet.forward_reusing(twice(x), timestep, contexts, features);
      CHECK(relative_difference(found, guided(reused)) < 1e-5);
      CHECK(relative_difference(found, guided(full.output)) > 1e-3);
    }
  }
}

TEST_CASE("generation: features are computed anew when the prompt changes or guidance ends",
          "[generation]") {
  Model model;
  sdx::Guidance guidance = model.guidance("[robot:snow:4]", 0.75, 100, 8);
  const auto is_full = [&](int step, const at::Tensor& x, const at::Tensor& full) {
    return relative_difference(guidance.predict(x, kTimestep, step), full) < 1e-5;
  };
  for (int step = 0; step < 8; ++step) {
    INFO("step " << step);
    const at::Tensor x = noise(static_cast<std::uint64_t>(step));
    const std::string text = step < 5 ? "robot" : "snow";
    const at::Tensor full = step < 6 ? model.guided(text, x) : model.output(text, x);
    CHECK(is_full(step, x, full) == (step == 0 || step == 5 || step == 6));
  }
}

TEST_CASE("generation: the features of a tile roll along with it", "[generation]") {
  Model model;
  const at::Tensor x = noise(1);
  sdx::Guidance guidance = model.guidance("robot", 0, 2, 4, 0, true);
  guidance.predict(x, kTimestep, 0);
  const at::Tensor found = guidance.predict(x, kTimestep, 1);

  const auto rolled = [](const at::Tensor& of, std::vector<std::int64_t> by) {
    return of.roll(by, {2, 3});
  };
  const std::vector<std::int64_t> before = {4, 4};  // 8 latents times the golden ratio, 0.618 …
  const std::vector<std::int64_t> now = {1, 1};     // and twice it, 1.236 …, without the 1
  const at::Tensor timestep = at::full({1}, kTimestep);
  const sdx::Conditioning context = model.context("robot");
  const at::Tensor features =
      rolled(rolled(model.unet.forward_keeping(rolled(x, before), timestep, context).features,
                    {-before[0], -before[1]}),
             now);
  const at::Tensor expected = rolled(
      model.unet.forward_reusing(rolled(x, now), timestep, context, features), {-now[0], -now[1]});
  CHECK(relative_difference(found, expected) < 1e-6);
}

TEST_CASE("generation: a prompt is parsed once, however often it is asked for", "[generation]") {
  Model model;
  sdx::ImageRequest request;
  request.prompt = "a [robot:hat:2] AND snow";
  request.negative_prompt = "red";
  request.settings.hires.scale = 2;
  const sdx::NoiseSchedule schedule(tiny_bundle().info().noise_schedule);
  sdx::check_request(request, tiny_bundle().info(), schedule, *model.tokenizer, model.embeddings,
                     model.prompts);
  for (const int steps_before : {0, 4}) {
    sdx::Guidance guidance({request}, {4, steps_before}, 0, kSize, model.unet, model.contexts);
    guidance.predict(noise(1), kTimestep, 0);
  }
  CHECK(model.prompts.parsed() == 2);
}

TEST_CASE("guidance: a text is encoded for each size only if the model is told the size",
          "[generation]") {
  Model plain;
  const sdx::PromptText text = sdx::parse_text("robot", sdx::Grammar::kA1111);
  const sdx::Conditioning small = plain.contexts.conditioning(text, 1, {64, 64});
  CHECK(plain.contexts.conditioning(text, 1, {128, 64}).is_same(small));
  CHECK_FALSE(plain.contexts.conditioning(text, 2, {64, 64}).is_same(small));

  const sdx::test::TempFolder folder;
  const sdx::Bundle bundle =
      sdx::test::save_two_encoders(folder.path(), plain.tokenizer->special_tokens().max_length);
  const sdx::TextEncoders encoders(bundle, at::kCPU);
  sdx::PromptCache prompts;
  sdx::ContextCache contexts(*plain.tokenizer, plain.embeddings, encoders, prompts);
  const sdx::Conditioning one = contexts.conditioning(text, 1, {64, 64});
  CHECK(at::equal(one.size_ids, sdx::make_size_ids({64, 64}, 1)));
  CHECK(at::equal(contexts.conditioning(text, 1, {128, 64}).size_ids,
                  sdx::make_size_ids({128, 64}, 1)));
  CHECK(contexts.conditioning(text, 1, {64, 64}).is_same(one));
}

TEST_CASE("guidance: a model with two text encoders is guided by all that it takes",
          "[generation]") {
  const at::NoGradGuard no_grad;
  const sdx::test::TempFolder folder;
  const auto tokenizer = tiny_bundle().load_tokenizer();
  const sdx::Bundle bundle =
      sdx::test::save_two_encoders(folder.path(), tokenizer->special_tokens().max_length);
  const sdx::TextEncoders encoders(bundle, at::kCPU);
  const sdx::UNet unet(bundle, {});
  const sdx::EmbeddingTable none;
  sdx::PromptCache prompts;
  sdx::ContextCache contexts(*tokenizer, none, encoders, prompts);
  sdx::ImageRequest request;
  request.prompt = "robot";
  request.negative_prompt = "red snow";
  request.settings.guidance_scale = 3;
  sdx::Guidance guidance({request}, {4, 0}, 0, {640, 320}, unet, contexts);
  const at::Tensor sample = noise(1);
  const auto added = [&](const std::string& text) {
    const sdx::Conditioning c =
        contexts.conditioning(sdx::parse_text(text, sdx::Grammar::kA1111), 1, {640, 320});
    return (c.context.mean() + c.pooled.mean() + c.size_ids.mean() * 0.001).item<double>();
  };
  const double expected = added("red snow") + 3 * (added("robot") - added("red snow"));
  CHECK(relative_difference(guidance.predict(sample, kTimestep, 0) - sample,
                            at::full_like(sample, expected)) < 1e-5);
}

TEST_CASE("guidance: an empty negative prompt is zeros where model or person say so",
          "[generation]") {
  Model plain;
  const sdx::test::TempFolder folder;
  const int positions = plain.tokenizer->special_tokens().max_length;
  sdx::BundleInfo info = sdx::test::save_two_encoders(folder.path(), positions).info();
  info.zero_empty_negative = true;
  sdx::write_bundle_info(folder.path(), info);
  const sdx::Bundle bundle = sdx::Bundle::open(folder.path());
  CHECK(bundle.info().zero_empty_negative);
  const sdx::TextEncoders encoders(bundle, at::kCPU);
  const sdx::UNet unet(bundle, {});
  sdx::PromptCache prompts;
  sdx::ContextCache contexts(*plain.tokenizer, plain.embeddings, encoders, prompts);
  // Guidance that the prompt has no part in: the UNet adds what the negative prompt says.
  const auto added_by = [&](const std::string& negative, sdx::EmptyNegative choice) {
    sdx::ImageRequest request;
    request.prompt = "robot";
    request.negative_prompt = negative;
    request.settings.guidance_scale = 0;
    request.settings.empty_negative = choice;
    request.settings.place = {{100, 200}, 0, 0, {}};
    sdx::Guidance guidance({request}, {4, 0}, 0, {640, 320}, unet, contexts);
    const at::Tensor sample = noise(1);
    return (guidance.predict(sample, kTimestep, 0) - sample).mean().item<double>();
  };
  const double ids = (200 + 100 + 0 + 0 + 320 + 640) / 6.0 * 0.001;
  const sdx::Conditioning text = contexts.conditioning({}, 1, {640, 320});
  const double encoded = (text.context.mean() + text.pooled.mean()).item<double>() + ids;
  using enum sdx::EmptyNegative;
  CHECK(std::abs(added_by("", kAuto) - ids) < 1e-4);
  CHECK(std::abs(added_by("  ", kZeros) - ids) < 1e-4);
  CHECK(std::abs(added_by("", kText) - encoded) < 1e-2);
  CHECK(std::abs(added_by("snow", kAuto) - ids) > 1);
}

TEST_CASE("guidance: an inpainting model reads mask and picture behind the latents",
          "[generation]") {
  Model plain;
  const sdx::test::TempFolder folder;
  sdx::test::save_program(
      folder.path() / "unet.ts",
      "def forward(self, sample: Tensor, timestep: Tensor, context: Tensor) -> Tensor:\n"
      "    return sample[:, :4] + sample[:, 4:5] * 2 + sample[:, 5:] * 3\n");
  sdx::write_bundle_info(folder.path(), tiny_bundle().info());
  const sdx::UNet unet(sdx::Bundle::open(folder.path()), {});
  sdx::ImageRequest request;
  request.settings.guidance_scale = 1;
  const at::Tensor beside = at::cat({at::full({1, 1, 8, 8}, 0.5), at::full({1, 4, 8, 8}, 0.25)}, 1);
  sdx::Guidance guidance({request, request}, {4, 0}, 0, kSize, unet, plain.contexts, beside);
  const at::Tensor two = at::cat({noise(1), noise(2)});
  CHECK(at::allclose(guidance.predict(two, kTimestep, 0), two + 1.75));
}
