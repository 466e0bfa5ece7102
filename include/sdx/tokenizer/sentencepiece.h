#pragma once

#include "sdx/tokenizer/tokenizer.h"

namespace sentencepiece {
class SentencePieceProcessor;
}

namespace sdx {

/// Any sentencepiece model (unigram, BPE, word, char), with the normalisation that it brings.
/// Thread-safe. Source: Kudo & Richardson 2018, by the sentencepiece library.
class SentencePieceTokenizer final : public Tokenizer {
 public:
  /// @param special_tokens as the text encoder wants them; nothing: as the model file names them.
  /// @throws DataError if the file is not a sentencepiece model; MissingInputError.
  SentencePieceTokenizer(const std::filesystem::path& model_file,
                         std::optional<SpecialTokens> special_tokens);
  ~SentencePieceTokenizer() override;

  std::vector<std::int64_t> encode(std::string_view text) const override;
  std::string decode(const std::vector<std::int64_t>& ids) const override;
  std::string piece(std::int64_t id) const override;
  std::optional<std::int64_t> whole_word(std::string_view word) const override;
  std::int64_t vocabulary_size() const override;

 private:
  SentencePieceTokenizer(std::unique_ptr<sentencepiece::SentencePieceProcessor> processor,
                         std::optional<SpecialTokens> special_tokens);
  std::unique_ptr<sentencepiece::SentencePieceProcessor> processor_;
};

}  // namespace sdx
