#include "model/import/learnt_words.h"

#include <ATen/ops/isfinite.h>
#include <ATen/ops/stack.h>

#include <algorithm>
#include <utility>

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

/// The word of this name, or null.
const LearntWord* find_word(const std::vector<LearntWord>& words, const std::string& name) {
  const auto found = std::ranges::find(words, name, &LearntWord::word);
  return found == words.end() ? nullptr : &*found;
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

/// The words of a pipeline's tokenizers, and the tables that have their vectors.
class WordTaker {
 public:
  WordTaker(const std::vector<std::vector<AddedWord>>& added, const fs::path& folder,
            ModelCheckpoint& checkpoint)
      : folder_(folder), checkpoint_(checkpoint) {
    for (std::size_t i = 0; i < added.size(); ++i) {
      words_.push_back(group_vectors(added[i]));
      at::Tensor* const table = find_table(i);
      tables_.push_back(table == nullptr ? at::Tensor() : *table);
    }
  }

  /// Whether the tables can be read; if not, the composer says what is wrong with them.
  bool has_tables() const {
    return std::ranges::all_of(
        tables_, [](const at::Tensor& table) { return table.defined() && table.dim() == 2; });
  }

  void take_words() {
    for (const LearntWord& word : words_.front()) take_word(word);
    for (std::size_t i = 1; i < words_.size(); ++i) {
      for (const LearntWord& word : words_[i]) {
        if (find_word(words_.front(), word.word) != nullptr) continue;
        leave_out(word, "the first tokenizer does not have it");
      }
    }
  }

  /// Rows behind the vocabulary that are all of such words are no part of the model.
  void cut_rows(std::size_t encoder, const std::vector<AddedWord>& added) {
    at::Tensor& table = *find_table(encoder);
    TextEncoderConfig& config = checkpoint_.text_encoders[encoder].config;
    // Old files of transformers say another number than the table has.
    config.vocabulary = static_cast<int>(table.size(0));
    if (added.empty()) return;
    const std::int64_t first = added.front().id;
    const std::int64_t rows_of_words = std::ranges::count_if(
        added, [&](const AddedWord& each) { return each.id < table.size(0); });
    if (rows_of_words == 0 || table.size(0) != first + rows_of_words) return;
    table = table.narrow(0, 0, first);
    config.vocabulary = static_cast<int>(first);
  }

 private:
  at::Tensor* find_table(std::size_t encoder) {
    TensorMap& tensors = checkpoint_.text_encoders.at(encoder).weights.tensors;
    const auto found = tensors.find(kTable);
    return found == tensors.end() ? nullptr : &found->second;
  }

  void leave_out(const LearntWord& word, const std::string& fault) {
    checkpoint_.remarks.push_back("The word " + describe(word) +
                                  " of its tokenizer was left out: " + fault +
                                  advise_file(folder_) + ".");
  }

  void take_word(const LearntWord& word) {
    std::vector<const LearntWord*> places;  // of the word in each tokenizer
    for (const std::vector<LearntWord>& words : words_) {
      const LearntWord* const there = find_word(words, word.word);
      if (there == nullptr) return leave_out(word, "the second tokenizer does not have it");
      if (there->ids.size() != word.ids.size()) {
        return leave_out(word, "it has " + std::to_string(word.ids.size()) +
                                   " vectors for the first text encoder and " +
                                   std::to_string(there->ids.size()) + " for the second");
      }
      places.push_back(there);
    }
    std::vector<at::Tensor> matrices;
    for (std::size_t i = 0; i < places.size(); ++i) {
      if (const std::string fault = find_fault(*places[i], tables_[i]); !fault.empty()) {
        return leave_out(*places[i], fault);
      }
      std::vector<at::Tensor> rows;
      for (const std::int64_t id : places[i]->ids) rows.push_back(tables_[i][id].to(at::kFloat));
      matrices.push_back(at::stack(rows));
    }
    checkpoint_.learnt[without_brackets(word.word)] = std::move(matrices);
  }

  const fs::path& folder_;
  ModelCheckpoint& checkpoint_;
  std::vector<std::vector<LearntWord>> words_;  ///< of each tokenizer
  std::vector<at::Tensor> tables_;              ///< of each text encoder, whole
};

}  // namespace

void take_learnt_words(const std::vector<std::vector<AddedWord>>& added, const fs::path& folder,
                       ModelCheckpoint& checkpoint) {
  if (std::ranges::all_of(added, [](const auto& words) { return words.empty(); })) return;
  WordTaker taker(added, folder, checkpoint);
  if (!taker.has_tables()) return;
  taker.take_words();
  for (std::size_t i = 0; i < added.size(); ++i) taker.cut_rows(i, added[i]);
}

}  // namespace sdx
