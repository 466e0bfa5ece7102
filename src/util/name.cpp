#include "sdx/util/name.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <system_error>

#include "sdx/util/error.h"
#include "sdx/util/text.h"
#include "sdx/util/utf8.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

/// Marks of the prompt grammar and of dynamic prompts; "<" and ">" have a sentence of their own.
constexpr std::u32string_view kPromptMarks = U"()[]{}|:";

/// Words of the prompt grammar.
constexpr std::array<std::string_view, 2> kPromptWords = {"AND", "BREAK"};

constexpr std::array<BracketPair, 12> kLookAlikes = {{{"\uFF1C", "\uFF1E"},
                                                      {"\u2039", "\u203A"},
                                                      {"\u3008", "\u3009"},
                                                      {"\u27E8", "\u27E9"},
                                                      {"\u2329", "\u232A"},
                                                      {"\u276E", "\u276F"},
                                                      {"\u02C2", "\u02C3"},
                                                      {"\uFE64", "\uFE65"},
                                                      {"\u00AB", "\u00BB"},
                                                      {"\u300A", "\u300B"},
                                                      {"&lt;", "&gt;"},
                                                      {"&#60;", "&#62;"}}};

const utf8proc_uint8_t* as_bytes(std::string_view text) {
  return reinterpret_cast<const utf8proc_uint8_t*>(text.data());
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

utf8proc_category_t find_category(char32_t character) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(character));
}

/// "U+200B".
std::string code_point(char32_t character) {
  char text[16];
  std::snprintf(text, sizeof text, "U+%04X", static_cast<unsigned>(character));
  return text;
}

/// Unicode's property Default_Ignorable_Code_Point, and characters that only steer others.
bool is_invisible(char32_t character) {
  constexpr char32_t kBrailleBlank = 0x2800;
  return character == kBrailleBlank || find_category(character) == UTF8PROC_CATEGORY_CF ||
         utf8proc_get_property(static_cast<utf8proc_int32_t>(character))->ignorable;
}

/// Whether an invisible character does what it is for: joiners between letters of the scripts that
/// spell with them, and selectors of a sign's form behind such a sign.
/// @param before, after 0 at the ends
bool shapes_others(char32_t character, char32_t before, char32_t after) {
  constexpr char32_t kFirstJoined = 0x590;  // Hebrew; Latin, Greek and Cyrillic come before
  constexpr char32_t kFirstBeyondAscii = 0xA0;
  const bool is_joiner = character == 0x200C || character == 0x200D;
  const bool is_selector = character >= 0xFE00 && character <= 0xFE0F;
  // A selector may stand between a sign and its joiner.
  if (is_joiner) return before >= kFirstJoined && after >= kFirstJoined && !is_invisible(after);
  return is_selector && before >= kFirstBeyondAscii && !is_invisible(before);
}

bool is_mark(char32_t character) {
  const utf8proc_category_t category = find_category(character);
  return category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_MC ||
         category == UTF8PROC_CATEGORY_ME;
}

bool is_look_alike(char32_t character) {
  std::string text;
  append_utf8(text, character);
  return std::any_of(kLookAlikes.begin(), kLookAlikes.end(), [&text](const BracketPair& pair) {
    return pair.open == text || pair.close == text;
  });
}

/// What no part of a path may have.
std::optional<std::string> path_fault(char32_t character) {
  if (character == '<' || character == '>') return "has a '<' or '>' in it";
  if (character == '/' || character == '\\') return "has a path separator in it";
  switch (find_category(character)) {
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return "has a blank in it";
    case UTF8PROC_CATEGORY_CC:
      if (character == '\t' || character == '\n' || character == '\r') return "has a blank in it";
      return "has a control character (" + code_point(character) + ") in it";
    default:
      return std::nullopt;
  }
}

std::optional<std::string> character_fault(char32_t character, char32_t before, char32_t after) {
  if (auto fault = path_fault(character)) return fault;
  if (kPromptMarks.find(character) != kPromptMarks.npos || is_look_alike(character)) {
    std::string mark;
    append_utf8(mark, character);
    return "has a '" + mark + "' in it, which means something else in a prompt";
  }
  if (is_invisible(character) && !shapes_others(character, before, after)) {
    return "has an invisible character (" + code_point(character) + ") in it";
  }
  const bool is_private = find_category(character) == UTF8PROC_CATEGORY_CO;
  if (is_private || character == kReplacementCharacter) {
    return "has a character (" + code_point(character) + ") in it that no keyboard writes";
  }
  return std::nullopt;
}

/// Whether dynamic prompts find a `__wildcard__` in it.
bool has_wildcard(std::string_view name) {
  constexpr std::string_view kFence = "__";
  for (std::size_t at = name.find(kFence); at != name.npos; at = name.find(kFence, at + 1)) {
    const std::size_t end = name.find(kFence, at + kFence.size());
    if (end != name.npos && end > at + kFence.size()) return true;
  }
  return false;
}

/// What is wrong with the whole, as part of a path.
std::optional<std::string> whole_fault(std::string_view name) {
  if (name.empty()) return "is empty";
  if (name.size() > kMaxNameBytes) {
    return "has " + std::to_string(name.size()) + " bytes, at most " +
           std::to_string(kMaxNameBytes) + " are possible";
  }
  if (name.starts_with('.')) return "begins with a dot";
  for (std::string_view rest = name; !rest.empty();) {
    if (!take_character(rest)) return "is not UTF-8";
  }
  return std::nullopt;
}

/// Nothing for what is not UTF-8.
std::optional<std::string> normalised(std::string_view text, int options) {
  utf8proc_uint8_t* bytes = nullptr;
  const utf8proc_ssize_t length =
      utf8proc_map(as_bytes(text), static_cast<utf8proc_ssize_t>(text.size()), &bytes,
                   static_cast<utf8proc_option_t>(UTF8PROC_STABLE | options));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(bytes, &std::free);
  if (length < 0) return std::nullopt;
  return std::string(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(length));
}

/// The length of the first character of a text with the accents that follow it.
std::size_t letter_length(std::string_view text) {
  std::string_view rest = text;
  take_character(rest);
  while (!rest.empty()) {
    std::string_view behind = rest;
    const auto next = take_character(behind);
    if (!next || !is_mark(*next)) break;
    rest = behind;
  }
  return text.size() - rest.size();
}

}  // namespace

std::optional<std::string> name_fault(std::string_view name) {
  if (auto fault = whole_fault(name)) return fault;
  const std::u32string characters = from_utf8(name);
  for (std::size_t i = 0; i < characters.size(); ++i) {
    const char32_t before = i == 0 ? 0 : characters[i - 1];
    const char32_t after = i + 1 == characters.size() ? 0 : characters[i + 1];
    if (auto fault = character_fault(characters[i], before, after)) return fault;
  }
  if (is_mark(characters.front())) {
    return "begins with an accent (" + code_point(characters.front()) + ") that has no letter";
  }
  if (name == "*") return "is '*', which is no name";
  for (const std::string_view word : kPromptWords) {
    if (find_word(name, word) != name.npos) {
      return "has the word " + std::string(word) + " in it, which means something else in a prompt";
    }
  }
  if (has_wildcard(name)) return "has a '__…__' in it, which stands for a wildcard in a prompt";
  return std::nullopt;
}

std::optional<std::string> file_name_fault(std::string_view name) {
  if (auto fault = whole_fault(name)) return fault;
  for (const char32_t character : from_utf8(name)) {
    if (auto fault = path_fault(character)) return fault;
  }
  return std::nullopt;
}

bool is_usable_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes && name != "*" &&
         name.find_first_of("<>") == std::string_view::npos && is_plain_text(name);
}

std::string canonical_name(std::string_view name) {
  if (is_ascii(name)) return std::string(name);
  return normalised(name, UTF8PROC_COMPOSE).value_or(std::string(name));
}

bool is_same_name(std::string_view a, std::string_view b) {
  return a == b || canonical_name(a) == canonical_name(b);
}

std::size_t find_name_length(std::string_view text, std::string_view name) {
  std::string_view rest = text;
  if (is_ascii(name)) {
    if (!text.starts_with(name)) return 0;
    const std::size_t last = name.size() - 1;
    return letter_length(text.substr(last)) == 1 ? name.size() : 0;
  }
  const std::string requested = normalised(name, UTF8PROC_DECOMPOSE).value_or(std::string(name));
  for (std::string_view left = requested; !left.empty();) {
    if (rest.empty()) return 0;
    // With its accents, since a letter with another accent is another letter.
    const std::string_view letter = rest.substr(0, letter_length(rest));
    const std::string taken = normalised(letter, UTF8PROC_DECOMPOSE).value_or(std::string(letter));
    if (!left.starts_with(taken)) return 0;
    left.remove_prefix(taken.size());
    rest.remove_prefix(letter.size());
  }
  return text.size() - rest.size();
}

fs::path find_named_entry(const fs::path& folder, const std::string& file_name) {
  const fs::path exact = folder / file_name;
  std::error_code failure;
  if (is_ascii(file_name) || fs::exists(fs::symlink_status(exact, failure))) return exact;
  for (fs::directory_iterator entry(folder, failure); !failure && entry != fs::directory_iterator();
       entry.increment(failure)) {
    if (is_same_name(entry->path().filename().string(), file_name)) return entry->path();
  }
  return exact;
}

std::string caseless_name(std::string_view name) {
  auto folded = normalised(name, UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE);
  if (!folded) throw DataError("not UTF-8");
  return *std::move(folded);
}

std::span<const BracketPair> look_alike_brackets() { return kLookAlikes; }

}  // namespace sdx
