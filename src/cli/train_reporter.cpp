#include "cli/train_reporter.h"

#include "cli/portrait_table.h"
#include "sdx/tensor/safetensors.h"
#include "sdx/util/stop.h"
#include "sdx/util/text.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

/// One tensor for each field of a trace, named "step.0.ids".
void add_trace(TensorMap& tensors, int step, const StepTrace& trace) {
  const std::string prefix = "step." + std::to_string(step) + ".";
  tensors[prefix + "ids"] = trace.ids;
  tensors[prefix + "splices"] = trace.splices;
  put_vectors(tensors, prefix + "vectors", trace.vectors);
  tensors[prefix + "latents"] = trace.latents;
  tensors[prefix + "noise"] = trace.noise;
  tensors[prefix + "noisy_latents"] = trace.noisy_latents;
  tensors[prefix + "timesteps"] = trace.timesteps;
  tensors[prefix + "loss"] = trace.loss;
  put_vectors(tensors, prefix + "gradient", trace.gradient);
}

std::string outcome(const Json& summary) {
  const auto number = [&](const char* key, int digits) {
    return fixed_number(summary[key].get<double>(), digits);
  };
  std::string line = std::to_string(summary["steps"].get<int>()) + " steps in " +
                     number("seconds", 1) + " s (" + summary["stopped_because"].get<std::string>() +
                     ")";
  if (summary.contains("loss_before")) {
    line +=
        "; loss on the fixed batch " + number("loss_before", 4) + " → " + number("loss_after", 4);
  }
  if (summary.contains("likeness_before")) {
    line += "; likeness " + number("likeness_before", 2) + " → " + number("likeness_after", 2);
  }
  if (const int skipped = summary["skipped_steps"]; skipped > 0) {
    line += "; " + std::to_string(skipped) + " steps skipped, their loss was not finite";
  }
  return line + "; peak memory " + number("peak_memory_gb", 2) + " GB";
}

}  // namespace

TrainReporter::TrainReporter(const TrainOptions& options, const CommonOptions& common)
    : options_(options), common_(common) {}

TrainingRunEvents TrainReporter::events() {
  TrainingRunEvents events;
  events.portraits = [this](const SubjectPortraits& subject) {
    show_portraits(subject, options_.subject, common_);
  };
  events.note = [this](const std::string& sentence) { say(sentence); };
  events.metrics = [this](const Json& line) { say_json(common_, line); };
  events.step = [this](int done, const std::string& figures) { bar_->update(done, figures); };
  events.stop_requested = [] { return stop_signal() != 0; };
  events.trace = [this](int step) { return trace(step); };
  return events;
}

void TrainReporter::begin() {
  bar_.emplace("Training " + placeholder(options_.inversion.name), options_.inversion.steps,
               common_.quiet);
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

void TrainReporter::finish(const Json& summary, const fs::path& report) {
  bar_.reset();
  write_trace();
  const fs::path embedding_file = summary["embedding"].get<std::string>();
  say("Wrote " + embedding_file.string() + " (" + std::to_string(options_.inversion.vectors) +
      " vectors, " + std::to_string(fs::file_size(embedding_file)) +
      " bytes), the word as it was " + "after step " +
      std::to_string(summary["best_step"].get<int>()) + "; " + report.string() +
      " shows how it came about");
  say(outcome(summary));
  say_json(common_, summary);
}

}  // namespace sdx
