#include "prompt/lexer.h"

#include <utility>

#include "support/catch.h"

namespace {

using Kind = sdx::TokenKind;
using Tokens = std::vector<std::pair<Kind, std::string>>;

Tokens lexed(const std::string& text) {
  Tokens tokens;
  for (const sdx::PromptToken& token : sdx::lex(text)) tokens.push_back({token.kind, token.text});
  CHECK(sdx::written(sdx::lex(text)) == text);
  return tokens;
}

}  // namespace

TEST_CASE("lexer: text, marks, escapes, and backslashes that escape nothing", "[prompt]") {
  CHECK(lexed("").empty());
  CHECK(lexed("a, <b> (c:1.5)") == Tokens{{Kind::kText, "a, <b> "},
                                          {Kind::kMark, "("},
                                          {Kind::kText, "c"},
                                          {Kind::kMark, ":"},
                                          {Kind::kText, "1.5"},
                                          {Kind::kMark, ")"}});
  CHECK(lexed("[|]") == Tokens{{Kind::kMark, "["}, {Kind::kMark, "|"}, {Kind::kMark, "]"}});
  CHECK(lexed("\\(\\\\\\:") ==
        Tokens{{Kind::kEscape, "\\("}, {Kind::kEscape, "\\\\"}, {Kind::kEscape, "\\:"}});
  CHECK(lexed("\\é\\") ==
        Tokens{{Kind::kBackslash, "\\"}, {Kind::kText, "é"}, {Kind::kBackslash, "\\"}});
}

TEST_CASE("lexer: text that comes to text is one token", "[prompt]") {
  sdx::PromptTokens tokens;
  for (const char* text : {"BR", "EAK", "(", "a"}) {
    sdx::append(tokens, sdx::lex(text).front());
  }
  REQUIRE(tokens.size() == 3);
  CHECK(tokens[0].text == "BREAK");
  CHECK(tokens[1].is_mark('('));
  CHECK(tokens[2].text == "a");
}

TEST_CASE("lexer: words are split where they stand alone", "[prompt]") {
  using Pieces = std::vector<std::string_view>;
  CHECK(sdx::split_at_word("a AND b", "AND") == Pieces{"a ", " b"});
  CHECK(sdx::split_at_word("AND", "AND") == Pieces{"", ""});
  CHECK(sdx::split_at_word("BAND AND_ éAND", "AND") == Pieces{"BAND AND_ éAND"});
}
