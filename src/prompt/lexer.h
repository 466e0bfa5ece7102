#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sdx {

class EmbeddingSizes;

/// The one rule of escapes: a backslash before one of `special` takes that letter's meaning away.
/// Before any other letter, and at the end of a text, it is a letter itself.
/// @param special the letters that mean something; the backslash is one of them.
bool is_escape(std::string_view text, std::size_t at, std::string_view special);

enum class TokenKind {
  kText,       ///< letters without a meaning, as many as there are
  kMark,       ///< one of "()[]:|"
  kEscape,     ///< a backslash and a mark or a backslash
  kBackslash,  ///< a backslash that escapes nothing
  kNetwork,    ///< `<lora:…>`, which asks for a LoRA and is no part of the text
  kName,       ///< a known `<Name>` with marks or blanks in it, which are letters there
};

/// A piece of a prompt, as it is written.
struct PromptToken {
  TokenKind kind = TokenKind::kText;
  std::string text;       ///< not empty
  std::string name = {};  ///< of kName, without brackets and escapes

  bool is_mark(char mark) const { return kind == TokenKind::kMark && text.front() == mark; }
};

/// Of two neighbours at most one is kText.
using PromptTokens = std::vector<PromptToken>;

/// Cuts a prompt of AUTOMATIC1111's grammar. The tokens' texts, one after the other, are the
/// prompt.
/// @param known embeddings, whose names are looked for first
PromptTokens lex(std::string_view text, const EmbeddingSizes& known);
/// The same where no embedding is known.
PromptTokens lex(std::string_view text);

/// The same of a text in which only names and LoRAs mean something: kText, kName and kNetwork.
PromptTokens lex_plain(std::string_view text, const EmbeddingSizes& known);

/// The tokens without those that ask for LoRAs.
PromptTokens without_networks(const PromptTokens& tokens);

/// The text that was cut.
std::string written(const PromptTokens& tokens);

/// Adds a token; text behind text becomes one token.
void append(PromptTokens& tokens, const PromptToken& token);

std::string_view without_blanks_at_start(std::string_view text);
std::string_view without_blanks_at_end(std::string_view text);

/// What stands between the places of `word`, where it is a word of its own. One piece more than
/// there are such places.
std::vector<std::string_view> split_at_word(std::string_view text, std::string_view word);

}  // namespace sdx
