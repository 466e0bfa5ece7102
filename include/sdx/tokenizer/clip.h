#pragma once

#include "sdx/tokenizer/tokenizer.h"

namespace sdx {

class ClipModel;

/// CLIP's byte-pair tokenizer, with the ids that transformers' CLIPTokenizer gives (docs/parity.md
/// says what was compared). Thread-safe. A text becomes ids in these steps:
///
///  1. Special tokens spelt in the text are cut out and become their ids. The padding token is cut
///     out before step 2, so where `!` pads, every `!` of a text is id 0. The begin token is cut out
///     after step 2, when its case does not matter. So is the end token, unless it also pads.
///  2. Cleaning: Unicode's NFC, every run of white space one blank, each character in lower case.
///     HTML entities stay as they are typed.
///  3. Words: 's 't 're 've 'm 'll 'd, runs of letters, single digits, runs of anything else;
///     white space separates and vanishes.
///  4. A word's UTF-8 bytes, each spelt as one printable character and the last marked with `</w>`,
///     are joined pair by pair, the pair that stands first in merges.txt first, until none is left.
///
/// A byte that no entry of a vocabulary spells becomes the end token; CLIP's own has all 256.
/// Bytes that are not UTF-8 read as U+FFFD.
/// Source: Radford et al. 2021; Sennrich, Haddow & Birch 2016.
class ClipTokenizer final : public Tokenizer {
 public:
  /// @param folder with `tokenizer.json`, or `merges.txt` and `vocab.json`; where only `merges.txt`
  ///        is there, the vocabulary follows from it.
  /// @throws DataError for files that are not CLIP's, contradict each other or hold added words, or
  ///         if a special id is outside the vocabulary; MissingInputError.
  ClipTokenizer(const std::filesystem::path& folder, const SpecialTokens& special_tokens);
  ~ClipTokenizer() override;

  std::vector<std::int64_t> encode(std::string_view text) const override;
  std::string decode(const std::vector<std::int64_t>& ids) const override;
  std::string piece(std::int64_t id) const override;
  std::optional<std::int64_t> whole_word(std::string_view word) const override;
  std::int64_t vocabulary_size() const override;

 private:
  std::unique_ptr<const ClipModel> model_;
};

}  // namespace sdx
