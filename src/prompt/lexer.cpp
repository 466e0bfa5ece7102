#include "prompt/lexer.h"

#include <algorithm>
#include <utility>

#include "prompt/placeholders.h"
#include "sdx/prompt/networks.h"
#include "sdx/util/text.h"

namespace sdx {

namespace {

constexpr std::string_view kMarks = "()[]:|";
constexpr std::string_view kSpecial = "()[]:|\\";

TokenKind kind_at(std::string_view text, std::size_t at) {
  if (is_escape(text, at, kSpecial)) return TokenKind::kEscape;
  if (text[at] == '\\') return TokenKind::kBackslash;
  return kMarks.find(text[at]) != kMarks.npos ? TokenKind::kMark : TokenKind::kText;
}

/// Adds the text from `begin` to the first letter of `ends`, and what stands in brackets apart:
/// LoRAs, and names of embeddings if those letters or others could be misread.
/// @return where it ends.
std::size_t add_text(std::string_view text, std::size_t begin, std::string_view ends,
                     const EmbeddingSizes& known, PromptTokens& tokens) {
  const std::size_t end = std::min(text.find_first_of(ends, begin), text.size());
  for (std::size_t i = text.find('<', begin); i < end; i = text.find('<', i + 1)) {
    Placeholder found = find_placeholder(text, i, known);
    const std::size_t network = find_network_length(text, i);
    if (!found.is_unusual && network == 0) continue;
    if (i > begin) tokens.push_back({TokenKind::kText, std::string(text.substr(begin, i - begin))});
    if (network > 0) {
      tokens.push_back({TokenKind::kNetwork, std::string(text.substr(i, network))});
      return i + network;
    }
    tokens.push_back(
        {TokenKind::kName, std::string(text.substr(i, found.length)), std::move(found.name)});
    return i + found.length;
  }
  tokens.push_back({TokenKind::kText, std::string(text.substr(begin, end - begin))});
  return end;
}

}  // namespace

bool is_escape(std::string_view text, std::size_t at, std::string_view special) {
  return text[at] == '\\' && at + 1 < text.size() && special.find(text[at + 1]) != special.npos;
}

PromptTokens lex(std::string_view text, const EmbeddingSizes& known) {
  PromptTokens tokens;
  for (std::size_t i = 0; i < text.size();) {
    const TokenKind kind = kind_at(text, i);
    const std::size_t length = kind == TokenKind::kEscape ? 2 : 1;
    if (kind != TokenKind::kText) {
      tokens.push_back({kind, std::string(text.substr(i, length))});
      i += length;
      continue;
    }
    i = add_text(text, i, kSpecial, known, tokens);
  }
  return tokens;
}

PromptTokens lex(std::string_view text) { return lex(text, {}); }

PromptTokens lex_plain(std::string_view text, const EmbeddingSizes& known) {
  PromptTokens tokens;
  for (std::size_t i = 0; i < text.size();) i = add_text(text, i, "", known, tokens);
  return tokens;
}

PromptTokens without_networks(const PromptTokens& tokens) {
  PromptTokens rest;
  for (const PromptToken& token : tokens) {
    if (token.kind != TokenKind::kNetwork) append(rest, token);
  }
  return rest;
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
