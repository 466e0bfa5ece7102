#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sdx {

/// NFC, every run of white space one blank, each character in lower case, in this order. Lower case
/// is by character, without regard to its neighbours (Σ is always σ); İ alone becomes two
/// characters, i and U+0307. Tables: utf8proc's.
std::u32string clean_clip_text(std::u32string_view text);

/// The words of a cleaned text, as CLIP's pattern cuts it:
/// 's|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+
/// A "<|startoftext|>" or "<|endoftext|>" that is still in the text gives three words: transformers
/// keeps it whole in this step and cuts it in the next.
std::vector<std::u32string_view> split_clip_words(std::u32string_view text);

/// A special token as it is spelt in a text.
using SpelledToken = std::pair<std::u32string, std::int64_t>;

/// A stretch of a text: plain, or a special token.
struct ClipSegment {
  std::u32string_view text;
  std::optional<std::int64_t> id;
};

/// Cuts `text` at every one of `tokens`; where two begin at the same place the longer one counts.
std::vector<ClipSegment> split_special_tokens(std::u32string_view text,
                                              const std::vector<SpelledToken>& tokens);

}  // namespace sdx
