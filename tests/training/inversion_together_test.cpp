#include <ATen/ops/cat.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/ones.h>

#include <cmath>
#include <limits>
#include <memory>

#include "sdx/generation/noise.h"
#include "sdx/training/inversion.h"
#include "support/tiny_bundle.h"

#include "support/catch.h"

using sdx::test::max_difference;
using sdx::test::tiny_bundle;

namespace {

/// Of vectors of length 0.5, after six steps of 0.02: what the rounding of a larger matrix makes of
/// them. Measured: 5e-7 at most.
constexpr double kRounding = 1e-5;

/// The tiny model and people to be learnt by it.
struct Fixture {
  struct Person {
    sdx::InversionOptions options;
    sdx::PortraitLatents portraits;
    std::vector<std::string> templates = {"a photo of {name}", "{name}, smiling"};
  };

  std::unique_ptr<sdx::Tokenizer> tokenizer = tiny_bundle().load_tokenizer();
  sdx::TextEncoders text_encoders{tiny_bundle(), c10::DeviceType::CPU};
  sdx::UNet unet{tiny_bundle(), {}};
  std::vector<Person> people;

  /// People who differ in seed and portraits only.
  explicit Fixture(std::vector<std::string> names) {
    for (const std::string& name : names) {
      const auto seed = static_cast<std::uint64_t>(people.size() + 1);
      Person person;
      person.options.name = name;
      person.options.init = "person";
      person.options.batch_size = 2;
      person.options.seed = seed;
      person.options.learning_rate = sdx::LearningRate::parse("0.02");
      const at::Tensor mean = at::cat(
          {sdx::seed_latents(10 * seed, 4, 8, 8), sdx::seed_latents(10 * seed + 1, 4, 8, 8)});
      person.portraits = {{mean, mean * 0 + 0.05}, {}};
      people.push_back(std::move(person));
    }
  }

  std::vector<std::unique_ptr<sdx::Inversion>> inversions() const {
    std::vector<std::unique_ptr<sdx::Inversion>> all;
    for (const Person& person : people) {
      all.push_back(std::make_unique<sdx::Inversion>(
          sdx::Inversion::Model{tiny_bundle(), *tokenizer, text_encoders, unet}, person.portraits,
          person.templates, person.options));
    }
    return all;
  }
};

std::vector<sdx::Inversion*> pointers(const std::vector<std::unique_ptr<sdx::Inversion>>& all) {
  std::vector<sdx::Inversion*> result;
  for (const auto& one : all) result.push_back(one.get());
  return result;
}

/// The vectors of all after `steps` together.
std::vector<at::Tensor> learnt_together(const Fixture& fixture, int steps) {
  const auto inversions = fixture.inversions();
  for (int i = 0; i < steps; ++i) sdx::step_together(pointers(inversions));
  std::vector<at::Tensor> vectors;
  for (const auto& inversion : inversions) vectors.push_back(inversion->state().vectors);
  return vectors;
}

/// Six steps together and alone: the same data, losses and vectors.
void check_same_as_alone(const Fixture& fixture) {
  const auto together = fixture.inversions();
  const auto alone = fixture.inversions();
  for (int step = 0; step < 6; ++step) {
    std::vector<sdx::StepTrace> traces(together.size());
    std::vector<sdx::StepTrace*> wanted;
    for (sdx::StepTrace& trace : traces) wanted.push_back(&trace);
    const std::vector<sdx::StepResult> results = sdx::step_together(pointers(together), wanted);
    REQUIRE(results.size() == together.size());
    for (std::size_t i = 0; i < together.size(); ++i) {
      INFO("step " << step << ", person " << i);
      sdx::StepTrace trace;
      const sdx::StepResult result = alone[i]->step(&trace);
      CHECK(at::equal(traces[i].ids, trace.ids));
      CHECK(at::equal(traces[i].splices, trace.splices));
      CHECK(at::equal(traces[i].latents, trace.latents));
      CHECK(at::equal(traces[i].noise, trace.noise));
      CHECK(at::equal(traces[i].noisy_latents, trace.noisy_latents));
      CHECK(at::equal(traces[i].timesteps, trace.timesteps));
      CHECK(max_difference(traces[i].vectors, trace.vectors) < kRounding);
      CHECK(std::abs(results[i].loss - result.loss) < kRounding);
      CHECK(std::abs(results[i].loss - alone[i]->loss_at(step, trace.vectors)) < kRounding);
      CHECK(std::abs(results[i].gradient_norm / result.gradient_norm - 1) < 1e-4);
      CHECK(results[i].learning_rate == result.learning_rate);
      CHECK_FALSE(results[i].skipped);
      CHECK(together[i]->state().steps == step + 1);
      CHECK(max_difference(together[i]->state().vectors, alone[i]->state().vectors) < kRounding);
    }
  }
}

}  // namespace

TEST_CASE("together: two people learn what each learns alone", "[training]") {
  check_same_as_alone(Fixture({"Ada", "Ben"}));
}

TEST_CASE("together: a person alone is stepped to the same bits", "[training]") {
  const Fixture fixture({"Ada"});
  const auto alone = fixture.inversions();
  for (int i = 0; i < 3; ++i) alone.front()->step();
  CHECK(at::equal(learnt_together(fixture, 3).front(), alone.front()->state().vectors));
  CHECK(sdx::step_together({}).empty());
}

TEST_CASE("together: each has vectors, batch, rate, start and sentences of its own", "[training]") {
  Fixture fixture({"Ada", "Ben", "Chloe"});
  fixture.people[0].options.vectors = 1;
  fixture.people[0].options.batch_size = 1;
  fixture.people[0].options.init = "robot";
  fixture.people[1].options.vectors = 3;
  fixture.people[1].options.norm = sdx::NormPolicy::kStart;
  fixture.people[1].templates = {"{name} beside {name}", "the {name}"};
  fixture.people[2].options.batch_size = 3;
  fixture.people[2].options.learning_rate = sdx::LearningRate::parse("0.05:2, 0.01");
  fixture.people[2].options.offset_noise = 0.1;
  fixture.people[2].options.first_timestep = 500;
  check_same_as_alone(fixture);
}

TEST_CASE("together: each has weights of its own", "[training]") {
  Fixture fixture({"Ada", "Ben", "Chloe"});
  fixture.people[0].portraits.mask = at::ones({2, 1, 8, 8});
  fixture.people[0].portraits.mask.slice(2, 0, 4) *= 0.1;
  fixture.people[1].options.min_snr = 5;
  check_same_as_alone(fixture);
}

TEST_CASE("together: accumulated batches, more of them for one than for another", "[training]") {
  Fixture fixture({"Ada", "Ben", "Chloe"});
  fixture.people[0].options.accumulate = 2;
  fixture.people[1].options.accumulate = 3;
  check_same_as_alone(fixture);
}

TEST_CASE("together: saving memory changes nothing", "[training]") {
  Fixture fixture({"Ada", "Ben", "Chloe"});
  fixture.people[0].options.memory = sdx::GradientMemory::kLow;
  fixture.people[2].options.memory = sdx::GradientMemory::kLow;
  check_same_as_alone(fixture);
}

TEST_CASE("together: two words of one name are two words", "[training]") {
  Fixture fixture({"Ada", "Ada"});
  fixture.people[1].options.vectors = 3;
  check_same_as_alone(fixture);
}

TEST_CASE("together: pictures of another size go apart", "[training]") {
  Fixture fixture({"Ada", "Ben", "Chloe"});
  const at::Tensor mean = sdx::seed_latents(7, 4, 16, 8);
  fixture.people[1].portraits = {{mean, mean * 0 + 0.05}, {}};
  check_same_as_alone(fixture);
}

TEST_CASE("together: a longer prompt does not change what others attend to", "[training]") {
  Fixture fixture({"Ada", "Ben", "Chloe"});
  std::string longer = "a photo of {name}";
  for (int i = 0; i < 80; ++i) longer += " very";
  fixture.people[1].templates = {longer};
  check_same_as_alone(fixture);
}

TEST_CASE("together: whose loss is not finite is skipped, the others don't notice", "[training]") {
  Fixture fixture({"Ada", "Ben", "Chloe"});
  const std::vector<at::Tensor> expected = learnt_together(fixture, 4);
  for (const double value : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    fixture.people[1].portraits.distribution.mean =
        fixture.people[0].portraits.distribution.mean * 0 + value;
    const auto inversions = fixture.inversions();
    const at::Tensor start = inversions[1]->state().vectors.clone();
    for (int i = 0; i < 4; ++i) {
      const std::vector<sdx::StepResult> results = sdx::step_together(pointers(inversions));
      CHECK_FALSE(results[0].skipped);
      CHECK(results[1].skipped);
      CHECK_FALSE(results[2].skipped);
    }
    CHECK(at::equal(inversions[0]->state().vectors, expected[0]));
    CHECK(at::equal(inversions[1]->state().vectors, start));
    CHECK(at::equal(inversions[2]->state().vectors, expected[2]));
    CHECK(inversions[0]->state().skipped_in_a_row == 0);
    CHECK(inversions[1]->state().skipped_in_a_row == 4);
    CHECK(inversions[1]->state().steps == 4);
  }
}
