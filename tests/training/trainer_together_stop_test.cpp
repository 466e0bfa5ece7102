#include "sdx/training/trainer.h"

#include <ATen/ops/equal.h>

#include <deque>
#include <filesystem>

#include "support/temp_folder.h"
#include "support/trainees.h"

#include "support/catch.h"

using sdx::StopReason;
using sdx::test::difference;
using sdx::test::TempFolder;
using sdx::test::train_together;
using sdx::test::Trainee;
using sdx::test::Trainees;

TEST_CASE("train together: a stop that one is asked for stops all that still go on", "[training]") {
  const Trainees trainees;
  for (const std::size_t asked : {0, 2}) {
    std::vector<Trainee> people = trainees.all();
    std::vector<int> rested(people.size(), -1);
    for (std::size_t i = 0; i < people.size(); ++i) {
      people[i].events.rest = [&, i](const sdx::TrainingState& state) {
        rested[i] = state.inversion.steps;
      };
    }
    people[asked].events.stop = [&] { return people[asked].inversion->state().steps == 9; };
    std::deque<sdx::StepTrace> traces;
    people[0].events.trace_at = [&](int) { return &traces.emplace_back(); };
    const std::vector<sdx::TrainerOutcome> outcomes = train_together(people);
    CHECK(outcomes[0].reason == StopReason::kRequested);
    CHECK(outcomes[1].reason == StopReason::kAllSteps);  // done before
    CHECK(outcomes[2].reason == StopReason::kRequested);
    CHECK(people[0].inversion->state().steps == 9);
    CHECK(people[2].inversion->state().steps == 9);
    CHECK(rested == std::vector{9, 6, 9});
    // Whoever wants a trace gets it filled: none is asked for in vain.
    CHECK(traces.size() == 9);
    CHECK(traces.back().ids.defined());
  }
}

TEST_CASE("train together: a stop while a judge looks", "[training]") {
  const Trainees trainees;
  const sdx::Judge judge = trainees.judge();
  std::vector<Trainee> people = trainees.all();
  people[1].judge = &judge;
  int asked = 0;
  people[1].events.stop = [&] { return ++asked == 2; };  // in the first look
  const std::vector<sdx::TrainerOutcome> outcomes = train_together(people);
  for (std::size_t i = 0; i < people.size(); ++i) {
    CHECK(outcomes[i].reason == StopReason::kRequested);
    CHECK(people[i].inversion->state().steps == 0);
    CHECK(people[i].state.best_vectors.defined());
  }
}

TEST_CASE("train together: stopped, saved and resumed they are where they would be", "[training]") {
  const Trainees trainees;
  std::vector<Trainee> whole = trainees.all();
  train_together(whole);
  for (const int stop_at : {0, 6, 13}) {
    INFO("stopped at " << stop_at);
    const TempFolder folder;
    std::vector<Trainee> first = trainees.all();
    first[0].events.stop = [&] { return first[0].inversion->state().steps >= stop_at; };
    train_together(first);
    std::vector<Trainee> second = trainees.all();
    for (std::size_t i = 0; i < first.size(); ++i) {
      const auto path = folder.path() / first[i].options.name;
      std::filesystem::create_directory(path);
      sdx::write_checkpoint(path, {first[i].state, {}});
      second[i].state = sdx::newest_checkpoint(path, [](const std::string&) {})->state;
      trainees.begin(second[i]);
    }
    train_together(second);
    for (std::size_t i = 0; i < second.size(); ++i) {
      CHECK(difference(second[i], whole[i]) == "");
      CHECK(at::equal(second[i].state.inversion.vectors, whole[i].state.inversion.vectors));
      CHECK(at::equal(second[i].state.inversion.adam.square, whole[i].state.inversion.adam.square));
    }
  }
}

TEST_CASE("train together: some may be further than others", "[training]") {
  const Trainees trainees;
  const std::vector<Trainee> alone = trainees.all_trained_alone();
  std::vector<Trainee> people = trainees.all();
  people[0].events.stop = [&] { return people[0].inversion->state().steps == 7; };
  REQUIRE(sdx::train_together({people[0].task()}).front().reason == StopReason::kRequested);
  people[0].events = {};
  train_together(people);
  for (std::size_t i = 0; i < people.size(); ++i) CHECK(difference(people[i], alone[i]) == "");
}
