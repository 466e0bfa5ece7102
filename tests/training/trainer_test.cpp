#include "sdx/training/trainer.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/equal.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "sdx/generation/noise.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "support/listener.h"
#include "support/temp_folder.h"
#include "support/tiny_bundle.h"
#include "support/trainees.h"

#include "support/catch.h"

using Catch::Matchers::ContainsSubstring;
using sdx::test::TempFolder;
using sdx::test::tiny_bundle;

namespace {

struct Fixture {
  std::unique_ptr<sdx::Tokenizer> tokenizer = tiny_bundle().load_tokenizer();
  sdx::TextEncoders text_encoders{tiny_bundle(), c10::DeviceType::CPU};
  sdx::UNet unet{tiny_bundle(), {}};
  sdx::test::OnePerson identity;
  sdx::InversionOptions options;
  sdx::TrainerOptions trainer;

  Fixture() {
    options.name = "Ada";
    options.batch_size = 1;
    options.steps = 24;
    trainer.stop_when_settled = false;
    trainer.milestone_steps = 10;
  }

  sdx::Inversion::Model model() const { return {tiny_bundle(), *tokenizer, text_encoders, unet}; }

  sdx::Inversion inversion(const std::optional<sdx::InversionState>& resumed = {}) const {
    const at::Tensor mean = at::cat({sdx::seed_latents(1, 4, 8, 8), sdx::seed_latents(2, 4, 8, 8)});
    return {model(), {{mean, mean * 0 + 0.05}, {}}, {"a photo of {name}"}, options, resumed};
  }

  sdx::Judge judge() const { return judge_by(identity); }

  sdx::Judge judge_by(const sdx::IdentityEncoder& encoder) const {
    sdx::JudgeOptions look;
    look.prompts = {"a photo of {name}", "{name}, snow"};
    look.steps = 2;
    look.draws = 2;
    return {model(), {}, &encoder, {sdx::Image(64, 64), sdx::Image(64, 64)}, look};
  }
};

/// Knows the black portraits, and finds no face in what the model draws: a face network for
/// photographs with a model of cartoons.
class OnlyBlack : public sdx::IdentityEncoder {
 public:
  std::optional<std::vector<float>> encode(const sdx::Image& image) const override {
    const bool is_black = std::all_of(image.rgb.begin(), image.rgb.end(),
                                      [](std::uint8_t value) { return value == 0; });
    return is_black ? std::optional(std::vector<float>{1, 0}) : std::nullopt;
  }
  double same_person_cosine() const override { return 0.5; }
};

}  // namespace

TEST_CASE("trainer: milestones, the end and the best word", "[training]") {
  const Fixture fixture;
  sdx::Inversion inversion = fixture.inversion();
  const sdx::Judge judge = fixture.judge();
  REQUIRE(judge.knows_the_person());
  sdx::TrainingState state;
  std::vector<int> milestones;
  std::map<int, at::Tensor> vectors;
  sdx::test::Listener events;
  events.milestone = [&](const sdx::Milestone& one, const std::vector<sdx::Image>& images) {
    milestones.push_back(one.step);
    vectors[one.step] = inversion.state().vectors.clone();
    CHECK(images.size() == 2);
  };
  CHECK(sdx::train(inversion, &judge, fixture.trainer, state, &events) ==
        sdx::StopReason::kAllSteps);
  CHECK(milestones == std::vector<int>{0, 10, 20, 24});
  REQUIRE(state.curve.size() == 3);
  CHECK(state.curve.back().step == 20);
  const auto best = std::max_element(
      state.milestones.begin(), state.milestones.end(),
      [](const auto& a, const auto& b) { return a.evaluation.score() < b.evaluation.score(); });
  CHECK(state.best_step == best->step);
  CHECK(at::equal(state.best_vectors, vectors.at(best->step)));
  const sdx::Embedding kept = sdx::best_embedding(inversion, state);
  CHECK(at::equal(kept.vectors, state.best_vectors));
  CHECK(kept.metadata.at("sdx.steps") == std::to_string(state.best_step));
}

TEST_CASE("trainer: where no picture shows the person the last word is the best", "[training]") {
  const Fixture fixture;
  sdx::Inversion inversion = fixture.inversion();
  const OnlyBlack identity;
  const sdx::Judge judge = fixture.judge_by(identity);
  REQUIRE(judge.knows_the_person());
  sdx::TrainingState state;
  sdx::train(inversion, &judge, fixture.trainer, state, {});
  for (const sdx::Milestone& one : state.milestones) CHECK(one.evaluation.score() == 0);
  CHECK(state.best_step == 24);
  CHECK(at::equal(state.best_vectors, inversion.state().vectors));
}

TEST_CASE("trainer: without a judge the last word is the best", "[training]") {
  const Fixture fixture;
  sdx::Inversion inversion = fixture.inversion();
  sdx::TrainingState state;
  CHECK(sdx::train(inversion, nullptr, fixture.trainer, state, {}) == sdx::StopReason::kAllSteps);
  CHECK(state.best_step == 24);
  CHECK(at::equal(state.best_vectors, inversion.state().vectors));
}

TEST_CASE("trainer: stops when the loss has settled, not before --min-steps", "[training]") {
  Fixture fixture;
  fixture.options.steps = 400;
  fixture.trainer.stop_when_settled = true;
  fixture.trainer.patience = 20;
  fixture.trainer.min_steps = 60;
  sdx::TrainingState state;
  sdx::Inversion inversion = fixture.inversion();
  CHECK(sdx::train(inversion, nullptr, fixture.trainer, state, {}) == sdx::StopReason::kSettled);
  CHECK(inversion.state().steps >= 60);
  CHECK(inversion.state().steps < 400);
}

TEST_CASE("trainer: ends with the last good word where no loss is finite", "[training]") {
  Fixture fixture;
  fixture.options.learning_rate = sdx::LearningRate::parse("1e38");
  sdx::TrainingState state;
  sdx::Inversion inversion = fixture.inversion();
  const at::Tensor start = inversion.state().vectors.clone();
  CHECK(sdx::train(inversion, nullptr, fixture.trainer, state, {}) == sdx::StopReason::kNotFinite);
  CHECK(state.skipped_steps == sdx::kMostSkippedSteps);
  CHECK(state.best_step == 0);
  CHECK(at::equal(state.best_vectors, start));
}

TEST_CASE("trainer: ends with the last good word where its previews are not finite", "[training]") {
  Fixture fixture;
  // A weight with which no image is finite.
  sdx::JudgeOptions look;
  look.prompts = {"{name} :1000000000000000000000000000000"};
  look.steps = 2;
  look.draws = 2;
  const OnlyBlack identity;
  const sdx::Judge judge(fixture.model(), {}, &identity, {}, look);
  REQUIRE_FALSE(judge.knows_the_person());
  for (const int milestone_steps : {10, 0}) {
    INFO("a milestone every " << milestone_steps);
    fixture.trainer.milestone_steps = milestone_steps;
    fixture.options.steps = 3;
    sdx::TrainingState state;
    sdx::Inversion inversion = fixture.inversion();
    const at::Tensor start = inversion.state().vectors.clone();
    sdx::test::Listener events;
    CHECK(sdx::train(inversion, &judge, fixture.trainer, state, &events) ==
          sdx::StopReason::kNotFinite);
    CHECK(state.milestones.empty());
    CHECK(state.best_step == 0);
    CHECK(at::equal(state.best_vectors, start));
    CHECK(inversion.state().steps == (milestone_steps == 0 ? 3 : 0));
  }
}

TEST_CASE("trainer: k steps, a checkpoint and the rest are all steps, bit for bit", "[training]") {
  Fixture fixture;
  fixture.trainer.stop_when_settled = true;
  fixture.trainer.patience = 20;
  fixture.trainer.min_steps = 0;
  fixture.options.steps = 60;
  const sdx::Judge judge = fixture.judge();
  sdx::TrainingState whole;
  sdx::Inversion uninterrupted = fixture.inversion();
  const auto reason = sdx::train(uninterrupted, &judge, fixture.trainer, whole, {});

  for (const int stop_at : {0, 1, 10, 13, 20, 31}) {
    INFO("stopped at " << stop_at);
    const TempFolder folder;
    sdx::TrainingState before;
    sdx::Inversion first = fixture.inversion();
    sdx::test::Listener events;
    events.stop = [&] { return first.state().steps >= stop_at; };
    REQUIRE(sdx::train(first, &judge, fixture.trainer, before, &events) ==
            sdx::StopReason::kRequested);
    sdx::write_checkpoint(folder.path(), {before, {}});

    const auto found = sdx::newest_checkpoint(folder.path(), [](const std::string&) {});
    REQUIRE(found);
    sdx::TrainingState state = found->state;
    sdx::Inversion second = fixture.inversion(state.inversion);
    CHECK(sdx::train(second, &judge, fixture.trainer, state, {}) == reason);
    CHECK(at::equal(second.state().vectors, uninterrupted.state().vectors));
    CHECK(at::equal(second.state().adam.square, uninterrupted.state().adam.square));
    CHECK(at::equal(state.best_vectors, whole.best_vectors));
    CHECK(state.best_step == whole.best_step);
    REQUIRE(state.curve.size() == whole.curve.size());
    for (std::size_t i = 0; i < whole.curve.size(); ++i) {
      CHECK(state.curve[i].loss == whole.curve[i].loss);
    }
    REQUIRE(state.milestones.size() == whole.milestones.size());
    CHECK(state.milestones.back().evaluation.score() == whole.milestones.back().evaluation.score());
  }
}
