#include "model/import/learnt_words.h"

#include <ATen/ops/isfinite.h>
#include <ATen/ops/stack.h>

#include <algorithm>

#include "sdx/util/name.h"
#include "sdx/util/text.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

constexpr const char* kTable = "embeddings.token_embedding.weight";

/// A word and the ids of its vectors.
struct LearntWord {
  std::string word;
  std::vector<std::int64_t> ids;
};

std::vector<LearntWord> group_vectors(const std::vector<AddedWord>& added) {
  std::vector<LearntWord> words;
  for (const AddedWord& each : added) {
    const bool goes_on = !words.empty() && each.word == words.back().word + "_" +
                                                            std::to_string(words.back().ids.size());
    if (goes_on) {
      words.back().ids.push_back(each.id);
    } else {
      words.push_back({each.word, {each.id}});
    }
  }
  return words;
}

std::string without_brackets(const std::string& word) {
  const bool has_brackets = word.size() > 2 && word.starts_with('<') && word.ends_with('>');
  return has_brackets ? word.substr(1, word.size() - 2) : word;
}

/// "<cat-toy> (id 49408)".
std::string describe(const LearntWord& word) {
  std::vector<std::string> ids;
  for (const std::int64_t id : word.ids) ids.push_back(std::to_string(id));
  return in_quotes(word.word) + (ids.size() == 1 ? " (id " : " (ids ") + join(ids, ", ") + ")";
}

/// Why the word cannot be an embedding; empty if it can.
std::string find_fault(const LearntWord& word, const at::Tensor& table) {
  for (const std::int64_t id : word.ids) {
    if (id >= table.size(0)) return "the text encoder has no vector for it";
    if (!at::isfinite(table[id]).all().item<bool>()) return "its vectors are not finite";
  }
  if (const auto fault = name_fault(without_brackets(word.word))) return "its name " + *fault;
  return "";
}

/// Where diffusers' training leaves the word beside the pipeline.
std::string advise_file(const fs::path& folder) {
  for (const char* name : {"learned_embeds.safetensors", "learned_embeds.bin"}) {
    if (fs::exists(folder / name)) {
      return "; " + (folder / name).string() + " beside it holds what was learnt";
    }
  }
  return "";
}

}  // namespace

void take_learnt_words(const std::vector<AddedWord>& added, const fs::path& folder,
                       ModelCheckpoint& checkpoint) {
  if (added.empty()) return;
  if (checkpoint.text_encoders.size() != 1) {
    // Their vectors for the second text encoder lie under ids of a tokenizer of its own.
    for (const LearntWord& word : group_vectors(added)) {
      checkpoint.remarks.push_back(
          "The word " + describe(word) +
          " of its tokenizer was left out: words are not taken out of a pipeline with two text "
          "encoders" +
          advise_file(folder) + ".");
    }
    return;
  }
  CheckpointTextEncoder& encoder = checkpoint.text_encoders.front();
  const auto found = encoder.weights.tensors.find(kTable);
  if (found == encoder.weights.tensors.end()) return;
  at::Tensor& table = found->second;
  if (table.dim() != 2) return;  // the composer says what is wrong with it
  for (const LearntWord& word : group_vectors(added)) {
    if (const std::string fault = find_fault(word, table); !fault.empty()) {
      checkpoint.remarks.push_back("The word " + describe(word) +
                                   " of its tokenizer was left out: " + fault +
                                   advise_file(folder) + ".");
      continue;
    }
    std::vector<at::Tensor> rows;
    for (const std::int64_t id : word.ids) rows.push_back(table[id].to(at::kFloat));
    checkpoint.learnt[without_brackets(word.word)] = at::stack(rows);
  }
  // Old files of transformers say another number than the table has.
  encoder.config.vocabulary = static_cast<int>(table.size(0));
  // Rows behind the vocabulary that are all of such words are no part of the model.
  const std::int64_t first = added.front().id;
  const std::int64_t rows_of_words =
      std::ranges::count_if(added, [&](const AddedWord& each) { return each.id < table.size(0); });
  if (rows_of_words == 0 || table.size(0) != first + rows_of_words) return;
  table = table.narrow(0, 0, first);
  encoder.config.vocabulary = static_cast<int>(first);
}

}  // namespace sdx
