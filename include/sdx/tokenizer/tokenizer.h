#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sdx/tokenizer/settings.h"

namespace sdx {

/// Text ↔ token ids. Knows nothing of prompts: no begin or end, no padding, no placeholders.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  /// The ids of `text`, without special tokens. Never fails: what no piece covers falls back to
  /// bytes or to the unknown id.
  virtual std::vector<std::int64_t> encode(std::string_view text) const = 0;
  virtual std::string decode(const std::vector<std::int64_t>& ids) const = 0;

  /// The vocabulary entry of an id as it is spelt there ("▁snow").
  /// @throws UsageError if the id is outside the vocabulary.
  virtual std::string piece(std::int64_t id) const = 0;

  /// The id of the entry that is exactly this whole word, case as written; nothing if the word
  /// would be made of several pieces or is spelt otherwise.
  virtual std::optional<std::int64_t> whole_word(std::string_view word) const = 0;

  virtual std::int64_t vocabulary_size() const = 0;

  const SpecialTokens& special_tokens() const { return special_tokens_; }

 protected:
  explicit Tokenizer(const SpecialTokens& special_tokens) : special_tokens_(special_tokens) {}

 private:
  SpecialTokens special_tokens_;
};

/// The tokenizer whose files are in `folder`: `spiece.model`, or CLIP's (see clip.h).
/// @throws DataError naming the file and what is wrong in it; MissingInputError.
std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& folder,
                                          const TokenizerSettings& settings);

/// The tokenizer in a checkpoint's `tokenizer/` folder, with the settings that are there (see
/// read_tokenizer_settings); or a single sentencepiece `.model` file, with the special ids that the
/// file itself names.
/// @throws as both.
std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& folder_or_model);

/// Writes the vocabulary of the tokenizer at `source` (as load_tokenizer takes it) into the folder
/// `destination`: `spiece.model` as it is, or `vocab.json` and `merges.txt`, which have the same
/// bytes whatever files the same vocabulary came from. No settings are written.
/// @throws as load_tokenizer and write_file_atomically.
void write_tokenizer(const std::filesystem::path& source, const std::filesystem::path& destination);

}  // namespace sdx
