#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "sdx/util/enum_text.h"

namespace sdx {

enum class TokenizerKind {
  kSentencePiece,  ///< a `.model` file of the sentencepiece library
  kClip,           ///< CLIP's byte pairs: vocab.json and merges.txt, or tokenizer.json
};

template <>
inline constexpr std::array kEnumTexts<TokenizerKind> = {
    EnumText{TokenizerKind::kSentencePiece, "sentencepiece"},
    EnumText{TokenizerKind::kClip, "clip"}};

/// The ids that frame a text, and how many positions the text encoder has.
struct SpecialTokens {
  std::int64_t begin = 0;  ///< −1: none (T5)
  std::int64_t end = 0;    ///< −1: none
  std::int64_t pad = 0;
  int max_length = 77;  ///< positions, begin and end included

  bool has_begin() const { return begin >= 0; }
  bool has_end() const { return end >= 0; }
  /// How many tokens of a text fit between begin and end.
  int capacity() const { return max_length - (has_begin() ? 1 : 0) - (has_end() ? 1 : 0); }
};

/// The settings of a tokenizer besides its vocabulary.
struct TokenizerSettings {
  TokenizerKind kind = TokenizerKind::kSentencePiece;
  SpecialTokens special_tokens;
};

/// The padding token that follows a text up to the end of a chunk, in CLIP's vocabulary.
enum class ClipPadding {
  kEndOfText,        ///< `<|endoftext|>`, 49407: Stable Diffusion 1
  kExclamationMark,  ///< `!`, 0: Stable Diffusion 2
};

/// The settings of CLIP's own vocabulary of 49,408 entries, which `tokenizers/clip` of the
/// toolkit's data holds, for models that bring none.
TokenizerSettings clip_settings(ClipPadding padding);

/// A word that somebody added to a finished vocabulary, as textual inversion in diffusers does.
struct AddedWord {
  std::string word;            ///< as it stands in prompts there: "<cat-toy>"
  std::int64_t id = 0;         ///< its row in the text encoder's table, behind the vocabulary's
  std::filesystem::path file;  ///< that lists it
};

/// The words that were added to the tokenizer in `folder`, by their ids; none for sentencepiece's.
/// A vocabulary without them is what write_tokenizer() writes.
/// @throws DataError naming the file and the word; MissingInputError.
std::vector<AddedWord> list_added_words(const std::filesystem::path& folder);

/// The settings of the tokenizer in `folder`, from its `tokenizer_config.json`:
///  - our own form: `tokenizer_class` = "sentencepiece", `bos`, `eos`, `pad` (ids),
///    `model_max_length`;
///  - transformers' form, where CLIP's files are beside it: `bos_token`, `eos_token`, `pad_token`
///    as strings or as objects with `content`, and `model_max_length`. As transformers 5 has it,
///    a `special_tokens_map.json` overrides these tokens unless the file has
///    `added_tokens_decoder`; what is absent is CLIP's default, `<|startoftext|>` and
///    `<|endoftext|>`. A length that is absent or "unlimited" (1e30) is 77. The file itself may be
///    absent.
/// @throws DataError naming the file and the key; MissingInputError.
TokenizerSettings read_tokenizer_settings(const std::filesystem::path& folder);

}  // namespace sdx
