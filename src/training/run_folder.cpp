#include "sdx/training/run_folder.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <sstream>

#include "sdx/embedding/embedding_writer.h"
#include "sdx/image/png.h"
#include "sdx/training/trainer.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "sdx/util/json.h"
#include "sdx/util/remove.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

constexpr std::chrono::seconds kCheckpointAtLeast{30};

fs::path prepared(fs::path folder) {
  prepare_output_folder(folder);
  return folder;
}

}  // namespace

fs::path find_preview(const fs::path& run_folder, int step) {
  return run_folder / "previews" / (step_name(step) + ".png");
}

RunFolder::RunFolder(fs::path folder, KeepPolicy keep)
    : path_(prepared(std::move(folder))), keep_(keep), lock_(path_ / ".lock", path_.string()) {}

std::optional<int> RunFolder::steps_done() const {
  const auto found = newest_checkpoint(checkpoints(), [](const std::string&) {});
  if (!found) return std::nullopt;
  return found->state.inversion.steps;
}

void RunFolder::clear() {
  constexpr std::array kOfSteps = {"checkpoints", "previews", "milestones"};
  constexpr std::array kOfAll = {"metrics.jsonl", "summary.json", "report.html"};
  // Whoever keeps other things in a folder of this name loses none of them.
  if (!fs::exists(path_ / "config.json")) {
    for (const char* name : kOfAll) {
      if (!fs::exists(path_ / name)) continue;
      throw CannotCreateError((path_ / name).string() +
                              " was made by no training (config.json is missing beside it), so it "
                              "is not replaced; choose another name or another folder of runs");
    }
  }
  for (const char* name : kOfSteps) {
    for (const fs::path& file : list_inside(path_, name)) {
      const bool is_step = file.parent_path() == name && is_step_name(file.stem().string());
      if (is_step) remove_inside(path_, file);
    }
  }
  for (const char* name : kOfAll) remove_inside(path_, name);
}

Checkpoint RunFolder::resume(const std::function<void(const std::string&)>& warn) {
  std::optional<Checkpoint> found = newest_checkpoint(checkpoints(), warn);
  if (!found) throw MissingInputError(path_.string() + ": holds no checkpoint to resume from");
  std::istringstream lines(fs::exists(metrics()) ? read_file(metrics()) : "");
  std::string kept;
  for (std::string line; std::getline(lines, line);) {
    const Json parsed = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    const bool is_whole = parsed.is_object() && parsed.contains("step");
    if (is_whole && parsed["step"] <= found->state.inversion.steps) kept += line + "\n";
  }
  write_file_atomically(metrics(), kept);
  return *found;
}

void RunFolder::write_metrics(const std::string& line) {
  if (!metrics_file_) {
    // Private as all that is derived from faces; std::fopen would ask the umask.
    const int file = ::open(metrics().c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (file >= 0) metrics_file_.reset(::fdopen(file, "a"));
  }
  if (!metrics_file_) throw_errno(errno, "create", metrics().string());
  const std::string text = line + "\n";
  if (std::fputs(text.c_str(), metrics_file_.get()) < 0 || std::fflush(metrics_file_.get()) != 0) {
    throw_errno(errno, "write", metrics().string());
  }
}

void RunFolder::write_milestone(const Milestone& milestone, const std::vector<Image>& images,
                                const std::vector<std::string>& prompts,
                                const Embedding& embedding) {
  std::vector<SheetCell> cells;
  for (std::size_t i = 0; i < images.size(); ++i) cells.push_back({images[i], prompts[i]});
  const fs::path file = find_preview(path_, milestone.step);
  prepare_output_folder(file.parent_path());
  write_png(file, contact_sheet(cells, static_cast<int>(cells.size())));
  if (keep_ == KeepPolicy::kAll) {
    prepare_output_folder(path_ / "milestones");
    write_embedding(path_ / "milestones" / (step_name(milestone.step) + ".safetensors"), embedding);
  }
}

void RunFolder::checkpoint(const TrainingState& state, const TrainingIdentity& identity, bool now) {
  const int step = state.inversion.steps;
  const auto time = std::chrono::steady_clock::now();
  const bool is_due = step % kMeasureEverySteps == 0 || time - last_written_ > kCheckpointAtLeast;
  if (step == last_checkpoint_ || (!is_due && !now)) return;
  prepare_output_folder(checkpoints());
  write_checkpoint(checkpoints(), {state, identity});
  last_checkpoint_ = step;
  last_written_ = time;
  prune_checkpoints(checkpoints());
}

}  // namespace sdx
