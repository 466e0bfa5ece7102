#include "tokenizer/clip_text.h"

#include <utf8proc.h>

#include "sdx/util/error.h"
#include "sdx/util/utf8.h"

namespace sdx {

namespace {

const utf8proc_uint8_t* as_bytes(std::string_view text) {
  return reinterpret_cast<const utf8proc_uint8_t*>(text.data());
}

/// Unicode's property White_Space.
bool is_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

bool is_letter(char32_t c) {
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
      return true;
    default:
      return false;
  }
}

bool is_number(char32_t c) {
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return true;
    default:
      return false;
  }
}

bool is_other(char32_t c) { return !is_space(c) && !is_letter(c) && !is_number(c); }

std::u32string normalised(std::u32string_view text) {
  const auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
  const std::string utf8 = to_utf8(text);
  const auto size = static_cast<utf8proc_ssize_t>(utf8.size());
  const utf8proc_ssize_t count = utf8proc_decompose(as_bytes(utf8), size, nullptr, 0, options);
  if (count < 0) throw InternalError(std::string("utf8proc: ") + utf8proc_errmsg(count));
  std::vector<utf8proc_int32_t> buffer(static_cast<std::size_t>(count));
  utf8proc_decompose(as_bytes(utf8), size, buffer.data(), count, options);
  const utf8proc_ssize_t length = utf8proc_normalize_utf32(buffer.data(), count, options);
  return {buffer.begin(), buffer.begin() + length};
}

/// The length of the first of `words` that `text` begins with, or 0.
template <std::size_t kCount>
std::size_t prefix_length(std::u32string_view text, const std::u32string_view (&words)[kCount]) {
  for (const std::u32string_view word : words) {
    if (text.starts_with(word)) return word.size();
  }
  return 0;
}

/// How many characters at the beginning of `text` are of a kind.
template <typename IsOfKind>
std::size_t run_length(std::u32string_view text, IsOfKind&& is_of_kind) {
  std::size_t length = 0;
  while (length < text.size() && is_of_kind(text[length])) ++length;
  return length;
}

/// The longest of `tokens` that `text` begins with, or nothing.
const SpelledToken* token_at(std::u32string_view text, const std::vector<SpelledToken>& tokens) {
  const SpelledToken* longest = nullptr;
  for (const SpelledToken& token : tokens) {
    const bool longer = longest == nullptr || token.first.size() > longest->first.size();
    if (longer && text.starts_with(token.first)) longest = &token;
  }
  return longest;
}

}  // namespace

std::u32string clean_clip_text(std::u32string_view text) {
  constexpr char32_t kDottedCapitalI = 0x130;
  std::u32string clean;
  for (const char32_t character : normalised(text)) {
    if (is_space(character)) {
      if (clean.empty() || clean.back() != U' ') clean += U' ';
    } else if (character == kDottedCapitalI) {
      clean += U"i\u0307";
    } else {
      clean += static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(character)));
    }
  }
  return clean;
}

std::vector<std::u32string_view> split_clip_words(std::u32string_view text) {
  static constexpr std::u32string_view kSpecial[] = {U"<|startoftext|>", U"<|endoftext|>"};
  static constexpr std::u32string_view kEndings[] = {U"'s", U"'t",  U"'re", U"'ve",
                                                     U"'m", U"'ll", U"'d"};
  constexpr std::size_t kBracket = 2;  // "<|" and "|>"
  std::vector<std::u32string_view> words;
  const auto take = [&words, &text](std::size_t length) {
    words.push_back(text.substr(0, length));
    text.remove_prefix(length);
  };
  while (!text.empty()) {
    if (const std::size_t special = prefix_length(text, kSpecial)) {
      take(kBracket);
      take(special - 2 * kBracket);
      take(kBracket);
    } else if (const std::size_t ending = prefix_length(text, kEndings)) {
      take(ending);
    } else if (is_space(text.front())) {
      text.remove_prefix(1);
    } else if (is_number(text.front())) {
      take(1);
    } else if (is_letter(text.front())) {
      take(run_length(text, is_letter));
    } else {
      take(run_length(text, is_other));
    }
  }
  return words;
}

std::vector<ClipSegment> split_special_tokens(std::u32string_view text,
                                              const std::vector<SpelledToken>& tokens) {
  std::vector<ClipSegment> segments;
  std::size_t plain_begin = 0;
  const auto end_plain = [&](std::size_t end) {
    if (end == plain_begin) return;
    segments.push_back({text.substr(plain_begin, end - plain_begin), std::nullopt});
  };
  for (std::size_t i = 0; i < text.size();) {
    const SpelledToken* token = token_at(text.substr(i), tokens);
    if (token == nullptr) {
      ++i;
      continue;
    }
    end_plain(i);
    segments.push_back({text.substr(i, token->first.size()), token->second});
    i += token->first.size();
    plain_begin = i;
  }
  end_plain(text.size());
  return segments;
}

}  // namespace sdx
