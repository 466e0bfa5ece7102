#pragma once

#include <functional>
#include <string>
#include <vector>

#include "sdx/training/training_observer.h"

namespace sdx::test {

/// An observer made of functions, of which each may be empty.
struct Listener : TrainingObserver {
  std::function<void(const std::string&)> note;
  std::function<void(const StepResult&)> step;
  std::function<void(const Measurement&)> measurement;
  std::function<void(const Milestone&, const std::vector<Image>&)> milestone;
  std::function<void(const TrainingState&)> rest;
  std::function<bool()> stop;
  std::function<StepTrace*(int)> trace_at;

  void on_note(const std::string& /*name*/, const std::string& sentence) override {
    if (note) note(sentence);
  }
  void on_step(const std::string& /*name*/, const StepResult& result, int /*done*/,
               int /*most*/) override {
    if (step) step(result);
  }
  void on_measurement(const std::string& /*name*/, const Measurement& one) override {
    if (measurement) measurement(one);
  }
  void on_milestone(const std::string& /*name*/, const Milestone& one,
                    const std::vector<Image>& images) override {
    if (milestone) milestone(one, images);
  }
  void on_rest(const std::string& /*name*/, const TrainingState& state) override {
    if (rest) rest(state);
  }
  bool stop_requested() override { return stop && stop(); }
  StepTrace* trace(const std::string& /*name*/, int step_count) override {
    return trace_at ? trace_at(step_count) : nullptr;
  }
};

}  // namespace sdx::test
