#include "sdx/training/checkpoint.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <functional>
#include <limits>
#include <string_view>
#include <utility>

#include "sdx/tensor/safetensors.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "sdx/util/remove.h"
#include "sdx/util/sha256.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kFormat = "sdx-checkpoint-";
/// 1 had milestones in one table of three columns, and the options of the command line.
constexpr int kVersion = 2;
constexpr std::size_t kKeptForSafety = 2;

/// A figure of a milestone, which is a tensor of its own: "milestones.likeness", [N] float64. A
/// file that lacks one is from before it was measured; then it is 0.
struct MilestoneFigure {
  const char* name;
  double& (*of)(Milestone& milestone);
};

constexpr std::array kFigures = {
    MilestoneFigure{"likeness", [](Milestone& one) -> double& { return one.evaluation.likeness; }},
    MilestoneFigure{"obedience",
                    [](Milestone& one) -> double& { return one.evaluation.obedience; }},
};

std::string figure_key(const char* name) { return std::string("milestones.") + name; }

/// Rows of numbers as one tensor [N,M] float64, whose bits are kept.
at::Tensor make_table(const std::vector<std::vector<double>>& rows, std::int64_t columns) {
  at::Tensor table = at::empty({static_cast<std::int64_t>(rows.size()), columns}, at::kDouble);
  for (std::size_t row = 0; row < rows.size(); ++row) {
    for (std::size_t column = 0; column < rows[row].size(); ++column) {
      table[static_cast<std::int64_t>(row)][static_cast<std::int64_t>(column)] = rows[row][column];
    }
  }
  return table;
}

double cell(const at::Tensor& table, std::int64_t row, std::int64_t column) {
  return table[row][column].item<double>();
}

/// Newest first.
std::vector<fs::path> checkpoint_files(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const bool is_ours =
        entry.path().extension() == ".safetensors" && is_step_name(entry.path().stem().string());
    if (is_ours) files.push_back(entry.path());
  }
  // By number: from a million steps on, names have a digit more.
  std::ranges::sort(files, std::ranges::greater(), [](const fs::path& file) {
    const std::string name = file.stem().string();
    return std::pair(name.size(), name);
  });
  return files;
}

void hash_into(std::string& bytes, const at::Tensor& tensor) {
  if (!tensor.defined()) return;
  const at::Tensor flat = tensor.cpu().to(at::kFloat).contiguous();
  bytes.append(static_cast<const char*>(flat.const_data_ptr()), flat.nbytes());
}

/// A checkpoint's file; what is asked for and missing or wrong is named.
class CheckpointFile {
 public:
  explicit CheckpointFile(const fs::path& file)
      : path_(file.string()), content_(map_safetensors(file)) {}

  const std::string& path() const { return path_; }

  /// Of the format.
  int version() const {
    const std::string format = text("format");
    int version = 0;
    const bool is_ours =
        format.starts_with(kFormat) && parse(format.substr(kFormat.size()), version);
    if (!is_ours || version < 1) {
      throw DataError(path_ + ": format: expected " + std::string(kFormat) +
                      std::to_string(kVersion) + ", found " + format);
    }
    if (version > kVersion) {
      throw LaterVersionError(path_ + ": made by a later version of sdx (format " + format +
                              ", this version reads up to " + std::to_string(kVersion) + ")");
    }
    return version;
  }

  std::string text(const std::string& key) const {
    const auto found = content_.metadata.find(key);
    if (found == content_.metadata.end()) {
      throw DataError(path_ + ": \"" + key + "\" is missing from its metadata");
    }
    return found->second;
  }

  std::string text(const std::string& key, const std::string& fallback) const {
    return content_.metadata.contains(key) ? text(key) : fallback;
  }

  int number(const std::string& key) const {
    const std::string digits = text(key);
    int number = 0;
    if (!parse(digits, number) || number < 0) {
      throw DataError(path_ + ": \"" + key +
                      "\" in its metadata: expected a number of 0 or more, " + "found \"" + digits +
                      "\"");
    }
    return number;
  }

  int number(const std::string& key, int fallback) const {
    return content_.metadata.contains(key) ? number(key) : fallback;
  }

  bool has_tensor(const std::string& key) const { return content_.tensors.contains(key); }

  at::Tensor tensor(const std::string& key) const {
    const auto found = content_.tensors.find(key);
    if (found == content_.tensors.end()) {
      throw DataError(path_ + ": tensor \"" + key + "\" is missing");
    }
    return found->second.clone();
  }

  /// Of each text encoder.
  EmbeddingVectors vectors(const std::string& key) const {
    EmbeddingVectors found = take_vectors(content_.tensors, key);
    if (!found.defined()) throw DataError(path_ + ": tensor \"" + key + "\" is missing");
    return found;
  }

  /// @param others not defined, or of the same shapes as `vectors`
  void require_fit(const std::string& key, const EmbeddingVectors& vectors,
                   const EmbeddingVectors& others) const {
    if (!others.defined() || have_same_shapes(vectors, others)) return;
    throw DataError(path_ + ": tensor \"" + key + "\": expected the shape of \"vectors\"");
  }

  /// A step that a table of numbers holds.
  int step(double value) const {
    const bool is_step = value >= 0 && value <= std::numeric_limits<int>::max();
    if (!is_step) {
      throw DataError(path_ + ": expected a step of 0 or more, found " + std::to_string(value));
    }
    return static_cast<int>(value);
  }

  /// [N,columns] float64.
  at::Tensor table(const std::string& key, std::int64_t columns) const {
    const at::Tensor table = tensor(key);
    if (table.dim() != 2 || table.size(1) != columns) {
      throw DataError(path_ + ": tensor \"" + key + "\": expected rows of " +
                      std::to_string(columns) + " numbers");
    }
    return table;
  }

 private:
  static bool parse(std::string_view digits, int& number) {
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    return error == std::errc{} && end == digits.data() + digits.size() && !digits.empty();
  }

  std::string path_;
  Safetensors content_;
};

void add_milestones(TensorMap& tensors, const std::vector<Milestone>& milestones) {
  const auto add = [&](const char* name, const auto& value) {
    const at::Tensor column =
        at::empty({static_cast<std::int64_t>(milestones.size())}, at::kDouble);
    for (std::size_t i = 0; i < milestones.size(); ++i) {
      Milestone one = milestones[i];
      column[static_cast<std::int64_t>(i)] = value(one);
    }
    tensors[figure_key(name)] = column;
  };
  add("step", [](const Milestone& one) { return static_cast<double>(one.step); });
  for (const MilestoneFigure& figure : kFigures) add(figure.name, figure.of);
}

/// Format 1: step, likeness, obedience.
std::vector<Milestone> milestones_of_table(const CheckpointFile& content) {
  const at::Tensor table = content.table("milestones", 3);
  std::vector<Milestone> milestones;
  for (std::int64_t row = 0; row < table.size(0); ++row) {
    milestones.push_back(
        {content.step(cell(table, row, 0)), {cell(table, row, 1), cell(table, row, 2)}});
  }
  return milestones;
}

std::vector<Milestone> milestones_of_figures(const CheckpointFile& content) {
  const at::Tensor steps = content.tensor(figure_key("step"));
  std::vector<Milestone> milestones(static_cast<std::size_t>(steps.numel()));
  const auto read = [&](const at::Tensor& column, const char* name, const auto& set) {
    if (column.dim() != 1 || column.numel() != steps.numel()) {
      throw DataError(content.path() + ": tensor \"" + figure_key(name) + "\": expected " +
                      std::to_string(steps.numel()) + " numbers");
    }
    for (std::size_t i = 0; i < milestones.size(); ++i) {
      set(milestones[i], column[static_cast<std::int64_t>(i)].item<double>());
    }
  };
  read(steps, "step", [&](Milestone& one, double value) { one.step = content.step(value); });
  for (const MilestoneFigure& figure : kFigures) {
    if (!content.has_tensor(figure_key(figure.name))) continue;
    read(content.tensor(figure_key(figure.name)), figure.name,
         [&](Milestone& one, double value) { figure.of(one) = value; });
  }
  return milestones;
}

TrainingIdentity identity_in(const CheckpointFile& content, int version) {
  if (version > 1) return parse_training_identity(content.text("identity"), content.path());
  TrainingIdentity identity = convert_option_record(content.text("options"), content.path());
  identity.model_hash = content.text("model_hash");
  identity.portraits_hash = content.text("pictures_hash");
  return identity;
}

}  // namespace

std::string step_name(int step) {
  char name[16];
  std::snprintf(name, sizeof name, "%06d", step);
  return name;
}

bool is_step_name(std::string_view name) {
  return name.size() >= std::string_view("000050").size() &&
         name.find_first_not_of("0123456789") == name.npos;
}

std::string hash_portraits(const PortraitLatents& portraits) {
  std::string bytes;
  hash_into(bytes, portraits.distribution.mean);
  hash_into(bytes, portraits.distribution.deviation);
  hash_into(bytes, portraits.mask);
  hash_into(bytes, portraits.size_ids);
  return sha256_hex(bytes);
}

void write_checkpoint(const fs::path& folder, const Checkpoint& checkpoint) {
  const TrainingState& state = checkpoint.state;
  const InversionState& inversion = state.inversion;
  std::vector<std::vector<double>> curve;
  for (const Measurement& point : state.curve) {
    curve.push_back({static_cast<double>(point.step), point.loss});
  }
  TensorMap tensors = {{"curve", make_table(curve, 2)}};
  add_milestones(tensors, state.milestones);
  put_vectors(tensors, "vectors", inversion.vectors);
  put_vectors(tensors, "start", inversion.start);
  put_vectors(tensors, "adam.mean", inversion.adam.mean);
  put_vectors(tensors, "adam.square", inversion.adam.square);
  put_vectors(tensors, "best_vectors", state.best_vectors);
  write_safetensors(folder / (step_name(inversion.steps) + ".safetensors"), tensors,
                    {{"format", std::string(kFormat) + std::to_string(kVersion)},
                     {"steps", std::to_string(inversion.steps)},
                     {"skipped_in_a_row", std::to_string(inversion.skipped_in_a_row)},
                     {"skipped_steps", std::to_string(state.skipped_steps)},
                     {"adam.updates", std::to_string(inversion.adam.updates)},
                     {"best_step", std::to_string(state.best_step)},
                     {"start_words", inversion.start_words},
                     {"identity", to_json_text(checkpoint.identity)}});
}

Checkpoint read_checkpoint(const fs::path& file) {
  const CheckpointFile content(file);
  const int version = content.version();
  Checkpoint checkpoint;
  TrainingState& state = checkpoint.state;
  state.inversion.vectors = content.vectors("vectors");
  state.inversion.start = content.vectors("start");
  state.inversion.start_words = content.text("start_words", "");
  state.inversion.steps = content.number("steps");
  state.inversion.skipped_in_a_row = content.number("skipped_in_a_row", 0);
  state.inversion.adam.updates = content.number("adam.updates");
  if (state.inversion.adam.updates > 0) {
    state.inversion.adam.mean = content.vectors("adam.mean");
    state.inversion.adam.square = content.vectors("adam.square");
  }
  content.require_fit("start", state.inversion.vectors, state.inversion.start);
  content.require_fit("adam.mean", state.inversion.vectors, state.inversion.adam.mean);
  content.require_fit("adam.square", state.inversion.vectors, state.inversion.adam.square);
  const at::Tensor curve = content.table("curve", 2);
  for (std::int64_t row = 0; row < curve.size(0); ++row) {
    state.curve.push_back({content.step(cell(curve, row, 0)), cell(curve, row, 1)});
  }
  state.milestones = version == 1 ? milestones_of_table(content) : milestones_of_figures(content);
  state.best_step = content.number("best_step");
  if (content.has_tensor("best_vectors")) state.best_vectors = content.vectors("best_vectors");
  content.require_fit("best_vectors", state.inversion.vectors, state.best_vectors);
  state.skipped_steps = content.number("skipped_steps", 0);
  checkpoint.identity = identity_in(content, version);
  return checkpoint;
}

std::optional<Checkpoint> newest_checkpoint(const fs::path& folder,
                                            const std::function<void(const std::string&)>& warn) {
  for (const fs::path& file : checkpoint_files(folder)) {
    try {
      return read_checkpoint(file);
    } catch (const LaterVersionError&) {
      throw;
    } catch (const DataError& error) {
      warn(std::string(error.what()) + "; the checkpoint before it is used");
    }
  }
  return std::nullopt;
}

void prune_checkpoints(const fs::path& folder) {
  const std::vector<fs::path> files = checkpoint_files(folder);
  for (std::size_t i = kKeptForSafety; i < files.size(); ++i) {
    remove_inside(folder, files[i].filename());
  }
}

}  // namespace sdx
