#include "sdx/training/checkpoint.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "sdx/tensor/safetensors.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "sdx/util/sha256.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

constexpr const char* kFormat = "sdx-checkpoint-1";
constexpr std::size_t kKeptForSafety = 2;

/// Options that say how long and where to, not what is learnt: they may differ without a word.
constexpr std::array kHarmless = {"embeddings", "runs",    "force",  "threads",     "json",
                                  "quiet",      "verbose", "trace",  "trace-steps", "keep",
                                  "device",     "memory",  "folder", "model"};

/// Rows of numbers as one tensor [N,M] float64, whose bits are kept.
at::Tensor table_of(const std::vector<std::vector<double>>& rows, std::int64_t columns) {
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
    if (entry.path().extension() == ".safetensors") files.push_back(entry.path());
  }
  std::sort(files.rbegin(), files.rend());
  return files;
}

void hash_into(std::string& bytes, const at::Tensor& tensor) {
  if (!tensor.defined()) return;
  const at::Tensor flat = tensor.cpu().to(at::kFloat).contiguous();
  bytes.append(static_cast<const char*>(flat.const_data_ptr()), flat.nbytes());
}

}  // namespace

std::string step_name(int step) {
  char name[16];
  std::snprintf(name, sizeof name, "%06d", step);
  return name;
}

std::string hash_of(const PortraitLatents& portraits) {
  std::string bytes;
  hash_into(bytes, portraits.distribution.mean);
  hash_into(bytes, portraits.distribution.deviation);
  hash_into(bytes, portraits.mask);
  return sha256_hex(bytes);
}

void write_checkpoint(const fs::path& folder, const Checkpoint& checkpoint) {
  const TrainingState& state = checkpoint.state;
  const InversionState& inversion = state.inversion;
  std::vector<std::vector<double>> curve;
  for (const Measurement& point : state.curve) {
    curve.push_back({static_cast<double>(point.step), point.loss});
  }
  std::vector<std::vector<double>> milestones;
  for (const Milestone& one : state.milestones) {
    milestones.push_back(
        {static_cast<double>(one.step), one.verdict.likeness, one.verdict.obedience});
  }
  TensorMap tensors = {{"curve", table_of(curve, 2)}, {"milestones", table_of(milestones, 3)}};
  put_vectors(tensors, "vectors", inversion.vectors);
  put_vectors(tensors, "start", inversion.start);
  put_vectors(tensors, "adam.mean", inversion.adam.mean);
  put_vectors(tensors, "adam.square", inversion.adam.square);
  put_vectors(tensors, "best_vectors", state.best_vectors);
  write_safetensors(folder / (step_name(inversion.steps) + ".safetensors"), tensors,
                    {{"format", kFormat},
                     {"steps", std::to_string(inversion.steps)},
                     {"skipped_in_a_row", std::to_string(inversion.skipped_in_a_row)},
                     {"skipped_steps", std::to_string(state.skipped_steps)},
                     {"adam.updates", std::to_string(inversion.adam.updates)},
                     {"best_step", std::to_string(state.best_step)},
                     {"start_words", inversion.start_words},
                     {"options", checkpoint.origin.options.dump()},
                     {"model_hash", checkpoint.origin.model_hash},
                     {"pictures_hash", checkpoint.origin.pictures_hash}});
}

Checkpoint read_checkpoint(const fs::path& file) {
  const Safetensors content = map_safetensors(file);
  const auto text = [&](const std::string& key) {
    const auto found = content.metadata.find(key);
    if (found == content.metadata.end()) {
      throw DataError(file.string() + ": \"" + key + "\" is missing from its metadata");
    }
    return found->second;
  };
  const auto number = [&](const std::string& key) { return std::atoi(text(key).c_str()); };
  const auto tensor = [&](const std::string& key) {
    const auto found = content.tensors.find(key);
    if (found == content.tensors.end()) {
      throw DataError(file.string() + ": tensor \"" + key + "\" is missing");
    }
    return found->second.clone();
  };
  const auto vectors = [&](const std::string& key) {
    EmbeddingVectors found = take_vectors(content.tensors, key);
    if (!found.defined()) {
      throw DataError(file.string() + ": tensor \"" + key + "\" is missing");
    }
    return found;
  };
  if (text("format") != kFormat) {
    throw DataError(file.string() + ": format: expected " + kFormat + ", found " + text("format"));
  }
  Checkpoint checkpoint;
  TrainingState& state = checkpoint.state;
  state.inversion.vectors = vectors("vectors");
  state.inversion.start = vectors("start");
  state.inversion.start_words = text("start_words");
  state.inversion.steps = number("steps");
  state.inversion.skipped_in_a_row = number("skipped_in_a_row");
  state.inversion.adam.updates = number("adam.updates");
  if (state.inversion.adam.updates > 0) {
    state.inversion.adam.mean = vectors("adam.mean");
    state.inversion.adam.square = vectors("adam.square");
  }
  const at::Tensor curve = tensor("curve");
  for (std::int64_t row = 0; row < curve.size(0); ++row) {
    state.curve.push_back({static_cast<int>(cell(curve, row, 0)), cell(curve, row, 1)});
  }
  const at::Tensor milestones = tensor("milestones");
  for (std::int64_t row = 0; row < milestones.size(0); ++row) {
    state.milestones.push_back({static_cast<int>(cell(milestones, row, 0)),
                                {cell(milestones, row, 1), cell(milestones, row, 2)}});
  }
  state.best_step = number("best_step");
  state.best_vectors = take_vectors(content.tensors, "best_vectors");
  state.skipped_steps = number("skipped_steps");
  checkpoint.origin.options = Json::parse(text("options"), nullptr, /*allow_exceptions=*/false);
  checkpoint.origin.model_hash = text("model_hash");
  checkpoint.origin.pictures_hash = text("pictures_hash");
  return checkpoint;
}

std::optional<Checkpoint> newest_checkpoint(const fs::path& folder,
                                            const std::function<void(const std::string&)>& warn) {
  for (const fs::path& file : checkpoint_files(folder)) {
    try {
      return read_checkpoint(file);
    } catch (const DataError& error) {
      warn(std::string(error.what()) + "; the checkpoint before it is used");
    }
  }
  return std::nullopt;
}

void prune_checkpoints(const fs::path& folder) {
  const std::vector<fs::path> files = checkpoint_files(folder);
  for (std::size_t i = kKeptForSafety; i < files.size(); ++i) fs::remove(files[i]);
}

OriginDifference compare(const TrainingOrigin& checkpoint, const TrainingOrigin& now) {
  OriginDifference difference;
  if (checkpoint.model_hash != now.model_hash) {
    difference.fatal.push_back("model: it was trained with weights " + checkpoint.model_hash +
                               ", found " + now.model_hash);
  }
  if (checkpoint.pictures_hash != now.pictures_hash) {
    difference.other.push_back("the pictures are others than before, or cut otherwise");
  }
  for (const auto& [key, value] : now.options.items()) {
    if (std::find(kHarmless.begin(), kHarmless.end(), key) != kHarmless.end()) continue;
    const Json before = checkpoint.options.value(key, Json());
    if (before == value) continue;
    const std::string line = "--" + key + ": it had " + before.dump() + ", found " + value.dump();
    const bool fatal = key == "name" || key == "vectors";
    (fatal ? difference.fatal : difference.other).push_back(line);
  }
  return difference;
}

}  // namespace sdx
