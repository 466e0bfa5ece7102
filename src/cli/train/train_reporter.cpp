#include "cli/train/train_reporter.h"

#include "cli/terminal_picture.h"
#include "cli/train/portrait_table.h"
#include "sdx/tensor/safetensors.h"
#include "sdx/training/run_folder.h"
#include "sdx/util/file.h"
#include "sdx/util/stop.h"
#include "sdx/util/text.h"
#include "sdx/util/units.h"

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
  if (trace.size_ids.defined()) tensors[prefix + "size_ids"] = trace.size_ids;
  tensors[prefix + "loss"] = trace.loss;
  put_vectors(tensors, prefix + "gradient", trace.gradient);
}

std::string outcome(const TrainingSummary& summary) {
  const auto change = [](const BeforeAfter& value, int digits) {
    return fixed_number(value.before, digits) + " → " + fixed_number(value.after, digits);
  };
  std::string line = std::to_string(summary.steps) + " steps in " +
                     fixed_number(summary.seconds, 1) + " s (" +
                     std::string(to_string(summary.reason)) + ")";
  if (summary.loss) line += "; loss on the fixed batch " + change(*summary.loss, 4);
  if (summary.likeness) line += "; likeness " + change(*summary.likeness, 2);
  if (summary.skipped_steps > 0) {
    line +=
        "; " + std::to_string(summary.skipped_steps) + " steps skipped, their loss was not finite";
  }
  return line + "; peak memory " + fixed_number(summary.peak_memory_gb, 2) + " GB";
}

}  // namespace

void TrainingFigures::take(const Measurement& one) { loss_ = "loss " + fixed_number(one.loss, 4); }

void TrainingFigures::take(const Milestone& one) {
  if (one.evaluation.likeness > 0)
    likeness_ = "  likeness " + fixed_number(one.evaluation.likeness, 2);
}

int count_evaluations(int done, int most, int every) {
  if (every == 0) return 1;
  const auto before = [every](int steps) { return (steps + every - 1) / every; };
  return before(most) - before(done) + 1;
}

std::string describe_previews(const fs::path& run_folder, const Milestone& milestone) {
  const fs::path file = find_preview(run_folder, milestone.step);
  const std::string line =
      "Previews of step " + std::to_string(milestone.step) + ": " + file.string();
  const TerminalPictures way = find_terminal_pictures();
  if (way == TerminalPictures::kNone || !fs::exists(file)) return line;
  return line + "\n" + to_terminal_picture(read_file(file), way);
}

TrainReporter::TrainReporter(const TrainingOptions& options, const CommonOptions& common,
                             const TrainerOptions& trainer, fs::path run_folder)
    : options_(options), common_(common), trainer_(trainer), run_folder_(std::move(run_folder)) {}

void TrainReporter::on_portraits(const std::string& /*name*/, const SubjectPortraits& subject) {
  show_portraits(subject, options_.subject, common_);
}

void TrainReporter::on_note(const std::string& /*name*/, const std::string& sentence) {
  say(sentence);
}

void TrainReporter::on_start(const std::string& name, int done, int most) {
  bar_.emplace("Training " + placeholder(name), most, common_.quiet);
  bar_->plan(count_evaluations(done, most, trainer_.milestone_steps), trainer_.stop_when_settled);
}

void TrainReporter::on_step(const std::string& /*name*/, const StepResult& /*result*/, int done,
                            int /*most*/) {
  bar_->update(done, figures_.text());
}

void TrainReporter::on_measurement(const std::string& /*name*/, const Measurement& one) {
  figures_.take(one);
}

void TrainReporter::on_milestone(const std::string& /*name*/, const Milestone& one,
                                 const std::vector<Image>& /*images*/) {
  figures_.take(one);
  bar_->end_pause();
  bar_->remark(describe_previews(run_folder_, one));
}

void TrainReporter::on_metrics(const std::string& /*name*/, const std::string& line) {
  if (common_.json) say_json(common_, Json::parse(line));
}

bool TrainReporter::stop_requested() { return stop_signal() != 0; }

StepTrace* TrainReporter::trace(const std::string& /*name*/, int step) {
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

void TrainReporter::finish(const TrainingSummary& summary, const fs::path& report) {
  bar_.reset();
  write_trace();
  say("Wrote " + summary.embedding.string() + " (" + std::to_string(options_.inversion.vectors) +
      " vectors, " + std::to_string(fs::file_size(summary.embedding)) +
      " bytes), the word as it was after step " + std::to_string(summary.best_step) + "; " +
      report.string() + " shows how it came about");
  say(outcome(summary));
  if (common_.json) say_json(common_, Json::parse(to_json_text(summary)));
}

}  // namespace sdx
