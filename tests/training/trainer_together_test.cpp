#include "sdx/training/trainer.h"

#include <ATen/ops/equal.h>

#include <cmath>
#include <functional>
#include <stdexcept>

#include "support/trainees.h"

#include "support/catch.h"

using sdx::StopReason;
using sdx::test::difference;
using sdx::test::train_together;
using sdx::test::Trainee;
using sdx::test::Trainees;

namespace {

void check_message(const sdx::TrainerOutcome& outcome, const std::string& message) {
  REQUIRE(outcome.failure);
  CHECK_THROWS_WITH(std::rethrow_exception(outcome.failure), message);
}

}  // namespace

TEST_CASE("train together: each ends where it would alone, with the same word", "[training]") {
  const Trainees trainees;
  const std::vector<Trainee> alone = trainees.all_trained_alone();
  std::vector<Trainee> people = trainees.all();
  std::vector<int> steps(people.size());
  for (std::size_t i = 0; i < people.size(); ++i) {
    people[i].events.step = [&, i](const sdx::StepResult&) {
      CHECK(people[i].inversion->state().steps == ++steps[i]);
    };
  }
  const std::vector<sdx::TrainerOutcome> outcomes = train_together(people);
  REQUIRE(outcomes.size() == people.size());
  for (std::size_t i = 0; i < people.size(); ++i) {
    CHECK(outcomes[i].reason == StopReason::kAllSteps);
    CHECK_FALSE(outcomes[i].failure);
    CHECK(difference(people[i], alone[i]) == "");
    CHECK(steps[i] == people[i].options.steps);
  }
  CHECK(sdx::train_together({}).empty());
}

TEST_CASE("train together: each has its own judge, settling and numbers", "[training]") {
  const Trainees trainees;
  const sdx::Judge judge = trainees.judge();
  const auto people = [&] {
    std::vector<Trainee> all = trainees.all();
    all[0].judge = &judge;
    all[2].options.steps = 400;
    all[2].trainer.stop_when_settled = true;
    all[2].trainer.patience = 20;
    all[2].trainer.min_steps = 20;
    trainees.begin(all[2]);
    return all;
  };
  std::vector<Trainee> alone = people();
  std::vector<StopReason> reasons;
  for (Trainee& one : alone) {
    reasons.push_back(sdx::train(*one.inversion, one.judge, one.trainer, one.state, {}));
  }
  REQUIRE(reasons[2] == StopReason::kSettled);
  std::vector<Trainee> together = people();
  const std::vector<sdx::TrainerOutcome> outcomes = train_together(together);
  for (std::size_t i = 0; i < together.size(); ++i) {
    CHECK(outcomes[i].reason == reasons[i]);
    CHECK(difference(together[i], alone[i]) == "");
    REQUIRE(together[i].state.milestones.size() == alone[i].state.milestones.size());
  }
  REQUIRE(together[0].state.milestones.size() == 4);
  CHECK(together[0].state.milestones.back().step == 14);
}

TEST_CASE("train together: what an event throws ends that training only", "[training]") {
  const Trainees trainees;
  const std::vector<Trainee> alone = trainees.all_trained_alone();
  const sdx::Judge judge = trainees.judge();
  struct Throwing {
    int steps;  ///< where it ends
    std::function<void(sdx::test::Listener&)> add;
  };
  const auto fail = [](bool now) {
    if (now) throw std::runtime_error("no room on the disk");
  };
  const std::vector<Throwing> cases = {
      {5,
       [&](auto& events) {
         events.step = [&, count = 0](const auto&) mutable { fail(++count == 5); };
       }},
      {10, [&](auto& events) { events.measurement = [&](const auto& m) { fail(m.step == 10); }; }},
      {5,
       [&](auto& events) {
         events.milestone = [&](const auto& m, const auto&) { fail(m.step == 5); };
       }},
      {7,
       [&](auto& events) {
         events.rest = [&](const auto& state) { fail(state.inversion.steps == 7); };
       }},
      {4,
       [&](auto& events) {
         events.trace_at = [&](int step) -> sdx::StepTrace* {
           fail(step == 4);
           return nullptr;
         };
       }},
      {0,
       [&](auto& events) {
         events.stop = [&] {
           fail(true);
           return false;
         };
       }},
  };
  for (const Throwing& one : cases) {
    std::vector<Trainee> people = trainees.all();
    people.pop_back();
    people[0].judge = &judge;
    one.add(people[0].events);
    const std::vector<sdx::TrainerOutcome> outcomes = train_together(people);
    check_message(outcomes[0], "no room on the disk");
    CHECK(people[0].inversion->state().steps == one.steps);
    CHECK(outcomes[1].reason == StopReason::kAllSteps);
    CHECK_FALSE(outcomes[1].failure);
    CHECK(difference(people[1], alone[1]) == "");
  }
}

TEST_CASE("train together: who never gets a finite loss leaves, the others go on", "[training]") {
  const Trainees trainees;
  const std::vector<Trainee> alone = trainees.all_trained_alone();
  std::vector<Trainee> people = trainees.all();
  people[1].latents = people[1].latents * std::nan("");
  people[1].options.steps = 100;
  trainees.begin(people[1]);
  const at::Tensor start = people[1].inversion->state().vectors.clone();
  const std::vector<sdx::TrainerOutcome> outcomes = train_together(people);
  CHECK(outcomes[1].reason == StopReason::kNotFinite);
  CHECK(people[1].state.skipped_steps == sdx::kMostSkippedSteps);
  CHECK(at::equal(people[1].state.best_vectors, start));
  for (const std::size_t other : {0, 2}) {
    CHECK(outcomes[other].reason == StopReason::kAllSteps);
    CHECK(people[other].state.skipped_steps == 0);
    CHECK(difference(people[other], alone[other]) == "");
  }
}
