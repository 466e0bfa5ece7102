#include "prompt/lexer.h"

#include <algorithm>
#include <cctype>

#include "sdx/util/text.h"

namespace sdx {

namespace {

constexpr std::string_view kMarks = "()[]:|";
constexpr std::string_view kSpecial = "()[]:|\\";

/// Where `word` next stands as a word of its own, or npos.
std::size_t find_word(std::string_view text, std::string_view word, std::size_t from) {
  for (std::size_t at = text.find(word, from); at != std::string_view::npos;
       at = text.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    const bool begins = at == 0 || !is_word_character(text[at - 1]);
    if (begins && (end == text.size() || !is_word_character(text[end]))) return at;
  }
  return std::string_view::npos;
}

TokenKind kind_at(std::string_view text, std::size_t at) {
  if (is_escape(text, at, kSpecial)) return TokenKind::kEscape;
  if (text[at] == '\\') return TokenKind::kBackslash;
  return kMarks.find(text[at]) != kMarks.npos ? TokenKind::kMark : TokenKind::kText;
}

}  // namespace

bool is_escape(std::string_view text, std::size_t at, std::string_view special) {
  return text[at] == '\\' && at + 1 < text.size() && special.find(text[at + 1]) != special.npos;
}

PromptTokens lex(std::string_view text) {
  PromptTokens tokens;
  for (std::size_t i = 0; i < text.size();) {
    const TokenKind kind = kind_at(text, i);
    std::size_t length = kind == TokenKind::kEscape ? 2 : 1;
    if (kind == TokenKind::kText) {
      length = std::min(text.find_first_of(kSpecial, i), text.size()) - i;
    }
    tokens.push_back({kind, std::string(text.substr(i, length))});
    i += length;
  }
  return tokens;
}

std::string written(const PromptTokens& tokens) {
  std::string text;
  for (const PromptToken& token : tokens) text += token.text;
  return text;
}

void append(PromptTokens& tokens, const PromptToken& token) {
  const bool continues =
      token.kind == TokenKind::kText && !tokens.empty() && tokens.back().kind == TokenKind::kText;
  if (continues) {
    tokens.back().text += token.text;
  } else {
    tokens.push_back(token);
  }
}

bool is_blank(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }

std::string_view without_blanks_at_start(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  return text;
}

std::string_view without_blanks_at_end(std::string_view text) {
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

std::vector<std::string_view> split_at_word(std::string_view text, std::string_view word) {
  std::vector<std::string_view> pieces;
  std::size_t start = 0;
  for (std::size_t at = find_word(text, word, 0); at != std::string_view::npos;
       at = find_word(text, word, start)) {
    pieces.push_back(text.substr(start, at - start));
    start = at + word.size();
  }
  pieces.push_back(text.substr(start));
  return pieces;
}

}  // namespace sdx
