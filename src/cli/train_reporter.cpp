#include "cli/train_reporter.h"

#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <optional>

#include "sdx/tensor/safetensors.h"
#include "sdx/training/report.h"
#include "sdx/util/file.h"
#include "sdx/util/stop.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

std::string fixed_text(double value, int digits) {
  char text[32];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

double peak_memory_gb() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) * 1024 / 1e9;
}

/// One tensor for each field of a trace, named "step.0.ids".
void add_trace(TensorMap& tensors, int step, const StepTrace& trace) {
  const std::string prefix = "step." + std::to_string(step) + ".";
  tensors[prefix + "ids"] = trace.ids;
  tensors[prefix + "splices"] = trace.splices;
  tensors[prefix + "vectors"] = trace.vectors;
  tensors[prefix + "latents"] = trace.latents;
  tensors[prefix + "noise"] = trace.noise;
  tensors[prefix + "noisy_latents"] = trace.noisy_latents;
  tensors[prefix + "timesteps"] = trace.timesteps;
  tensors[prefix + "loss"] = trace.loss;
  tensors[prefix + "gradient"] = trace.gradient;
}

/// The likeness at the start and of the word that is kept, where it could be told.
std::optional<std::pair<double, double>> likeness_before_after(const TrainingState& state) {
  if (state.milestones.empty()) return std::nullopt;
  const auto best = std::find_if(state.milestones.begin(), state.milestones.end(),
                                 [&](const Milestone& one) { return one.step == state.best_step; });
  if (best == state.milestones.end() || best->verdict.likeness == 0) return std::nullopt;
  return std::pair(state.milestones.front().verdict.likeness, best->verdict.likeness);
}

std::string outcome(const TrainingState& state, StopReason reason, double seconds) {
  std::string line = std::to_string(state.inversion.steps) + " steps in " + fixed_text(seconds, 1) +
                     " s (" + std::string(to_string(reason)) + ")";
  if (!state.curve.empty()) {
    line += "; loss on the fixed batch " + fixed_text(state.curve.front().loss, 4) + " → " +
            fixed_text(state.curve.back().loss, 4);
  }
  if (const auto likeness = likeness_before_after(state)) {
    line +=
        "; likeness " + fixed_text(likeness->first, 2) + " → " + fixed_text(likeness->second, 2);
  }
  if (state.skipped_steps > 0) {
    line +=
        "; " + std::to_string(state.skipped_steps) + " steps skipped, their loss was not finite";
  }
  return line + "; peak memory " + fixed_text(peak_memory_gb(), 2) + " GB";
}

}  // namespace

TrainReporter::TrainReporter(const Inversion& inversion, const TrainOptions& options,
                             RunFolder& run, const TrainingOrigin& origin,
                             std::vector<std::string> prompts, const CommonOptions& common)
    : inversion_(inversion),
      options_(options),
      run_(run),
      origin_(origin),
      prompts_(std::move(prompts)),
      common_(common),
      bar_("Training " + placeholder(options.inversion.name), options.inversion.steps,
           common.quiet) {}

TrainerEvents TrainReporter::events() {
  TrainerEvents events;
  events.step = [this](const StepResult& result) { step(result); };
  events.measurement = [this](const Measurement& measurement) {
    metrics({{"step", measurement.step}, {"fixed_loss", measurement.loss}});
    figure_ = "loss " + fixed_text(measurement.loss, 4);
  };
  events.milestone = [this](const Milestone& one, const std::vector<Image>& pictures) {
    milestone(one, pictures);
  };
  events.rest = [this](const TrainingState& state) { run_.checkpoint(state, origin_); };
  events.stop_requested = [] { return stop_signal() != 0; };
  events.trace = [this](int step) { return trace(step); };
  return events;
}

void TrainReporter::step(const StepResult& result) {
  const int done = inversion_.state().steps;
  Json line = {{"step", done},
               {"loss", result.loss},
               {"gradient_norm", result.gradient_norm},
               {"learning_rate", result.learning_rate},
               {"vector_norm", result.vector_norm},
               {"seconds", bar_.seconds()}};
  if (result.skipped) line["skipped"] = true;
  metrics(line);
  bar_.update(done, figure_ + likeness_);
}

void TrainReporter::milestone(const Milestone& one, const std::vector<Image>& pictures) {
  Json line = {{"step", one.step}, {"obedience", one.verdict.obedience}};
  if (one.verdict.likeness > 0) {
    line["likeness"] = one.verdict.likeness;
    line["score"] = one.verdict.score();
    likeness_ = "  likeness " + fixed_text(one.verdict.likeness, 2);
  }
  metrics(line);
  run_.write_milestone(one, pictures, prompts_, inversion_.embedding());
}

void TrainReporter::metrics(const Json& line) {
  run_.write_metrics(line);
  say_json(common_, line);
}

StepTrace* TrainReporter::trace(int step) {
  if (options_.trace_file.empty() || step >= options_.trace_steps) return nullptr;
  traces_.push_back(std::make_unique<StepTrace>());
  return traces_.back().get();
}

void TrainReporter::write_trace() const {
  if (traces_.empty()) return;  // not wanted, or recorded before the run was resumed
  TensorMap tensors;
  for (std::size_t i = 0; i < traces_.size(); ++i) {
    add_trace(tensors, static_cast<int>(i), *traces_[i]);
  }
  write_safetensors(options_.trace_file, tensors, {{"sdx.version", version_text()}});
}

void TrainReporter::finish(const TrainingState& state, StopReason reason,
                           const fs::path& embedding_file) {
  write_trace();
  const double seconds = bar_.seconds();
  Json summary = {{"name", options_.inversion.name},
                  {"model", origin_.options.value("model", "")},
                  {"embedding", embedding_file.string()},
                  {"steps", state.inversion.steps},
                  {"stopped_because", to_string(reason)},
                  {"best_step", state.best_step},
                  {"skipped_steps", state.skipped_steps},
                  {"start", state.inversion.start_words},
                  {"seconds", seconds},
                  {"peak_memory_gb", peak_memory_gb()}};
  if (!state.curve.empty()) {
    summary["loss_before"] = state.curve.front().loss;
    summary["loss_after"] = state.curve.back().loss;
  }
  if (const auto likeness = likeness_before_after(state)) {
    summary["likeness_before"] = likeness->first;
    summary["likeness_after"] = likeness->second;
  }
  write_file_atomically(run_.path() / "summary.json", summary.dump(2) + "\n");
  const fs::path report = write_report(run_.path());
  say(common_, "Wrote " + embedding_file.string() + " (" +
                   std::to_string(options_.inversion.vectors) + " vectors, " +
                   std::to_string(fs::file_size(embedding_file)) + " bytes), the word as it was " +
                   "after step " + std::to_string(state.best_step) + "; " + report.string() +
                   " shows how it came about");
  say(common_, outcome(state, reason, seconds));
  say_json(common_, summary);
}

}  // namespace sdx
