#pragma once

#include <array>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "sdx/image/contact_sheet.h"
#include "sdx/training/checkpoint.h"
#include "sdx/util/enum_text.h"
#include "sdx/util/lock.h"

namespace sdx {

/// Which checkpoints outlive a training.
enum class KeepPolicy {
  kBest,  ///< the newest two, which resuming needs; the best one is the embedding
  kAll,   ///< of every milestone, as an embedding too
};

template <>
inline constexpr std::array kEnumTexts<KeepPolicy> = {EnumText{KeepPolicy::kBest, "best"},
                                                      EnumText{KeepPolicy::kAll, "all"}};

/// The sheet with the previews of a step in a run's folder.
std::filesystem::path find_preview(const std::filesystem::path& run_folder, int step);

/// `runs/<Name>`: the files that a training leaves on its way. Locked against a second process.
class RunFolder {
 public:
  /// Makes the folder and proves that it can be written.
  /// @throws TryAgainError if another training works there; as prepare_output_folder.
  RunFolder(std::filesystem::path folder, KeepPolicy keep);

  const std::filesystem::path& path() const { return path_; }

  /// Steps of a training that is in the folder; nothing if there is none.
  /// @throws LaterVersionError if a later version made its checkpoint.
  std::optional<int> steps_done() const;

  /// Removes the files of an earlier training: checkpoints, previews and milestones by the names
  /// that trainings give them, metrics, summary and report. All other files stay.
  /// @throws CannotCreateError if one of the latter was made by no training, for want of a
  ///         config.json; DataError if one of the folders is a symbolic link
  void clear();

  /// The newest whole checkpoint; metrics of steps after it are forgotten, as they will come again.
  /// @throws MissingInputError if there is none.
  Checkpoint resume(const std::function<void(const std::string&)>& warn);

  /// Adds a line to metrics.jsonl, on the disk at once.
  /// @param line one JSON object, without a line's end
  void write_metrics(const std::string& line);

  /// Writes the sheet of previews, and with KeepPolicy::kAll the embedding as it is now.
  void write_milestone(const Milestone& milestone, const std::vector<Image>& images,
                       const std::vector<std::string>& prompts, const Embedding& embedding);

  /// Writes a checkpoint if one is due: every kMeasureEverySteps, or after half a minute, or `now`.
  void checkpoint(const TrainingState& state, const TrainingIdentity& identity, bool now = false);

 private:
  using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

  std::filesystem::path checkpoints() const { return path_ / "checkpoints"; }
  std::filesystem::path metrics() const { return path_ / "metrics.jsonl"; }

  std::filesystem::path path_;
  KeepPolicy keep_;
  FileLock lock_;
  File metrics_file_{nullptr, &std::fclose};
  int last_checkpoint_ = -1;
  std::chrono::steady_clock::time_point last_written_ = std::chrono::steady_clock::now();
};

}  // namespace sdx
