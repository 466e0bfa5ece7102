#include "prompt/placeholders.h"

#include <algorithm>
#include <array>
#include <utility>

#include "sdx/prompt/networks.h"
#include "sdx/util/name.h"
#include "sdx/util/text.h"

namespace sdx {

namespace {

/// Special tokens of CLIP's, open_clip's and sentencepiece's vocabularies, without their brackets.
constexpr std::array<std::string_view, 8> kSpecialTokens = {
    "|startoftext|", "|endoftext|", "start_of_text", "end_of_text", "s", "/s", "unk", "pad"};

bool is_name_character(char c) {
  return c != '<' && c != '>' && static_cast<unsigned char>(c) > ' ';
}

bool is_special_token(std::string_view name) {
  // CLIP reads its own in any case (docs/parity.md).
  const std::string spelt = name.starts_with('|') ? lower_case(name) : std::string(name);
  return std::find(kSpecialTokens.begin(), kSpecialTokens.end(), spelt) != kSpecialTokens.end();
}

bool is_unusual(std::string_view name) {
  return name.find_first_of("()[]:|\\") != name.npos ||
         !std::all_of(name.begin(), name.end(), is_name_character) ||
         find_word(name, "AND") != name.npos || find_word(name, "BREAK") != name.npos;
}

/// Without the backslashes that people put before brackets so that they are letters.
std::string without_escapes(std::string_view name) {
  std::string plain;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const bool escapes = name[i] == '\\' && i + 1 < name.size() &&
                         std::string_view("()[]:|\\{}_").find(name[i + 1]) != name.npos;
    plain += name[escapes ? ++i : i];
  }
  return plain;
}

}  // namespace

Placeholder find_placeholder(std::string_view text, std::size_t start,
                             const EmbeddingSizes& known) {
  // A name's escapes and forms take more bytes than the name.
  constexpr std::size_t kMostBytes = 4 * kMaxNameBytes;
  if (text[start] != '<') return {};
  const std::string_view behind = text.substr(start + 1, kMostBytes);
  const std::size_t end = behind.find_first_of("<>");
  if (end == 0) return {};
  const bool is_short = end != behind.npos && behind[end] == '>';
  if (is_short) {
    const std::string_view inner = behind.substr(0, end);
    const std::string plain = without_escapes(inner);
    for (const std::string& name : {std::string(inner), plain}) {
      if (known.contains(name)) return {end + 2, name, is_unusual(inner)};
    }
  }
  std::size_t length = 1;
  while (start + length < text.size() && is_name_character(text[start + length])) ++length;
  const bool is_closed = start + length < text.size() && text[start + length] == '>';
  const std::string_view name = text.substr(start + 1, length - 1);
  if (!is_closed || name.empty() || is_special_token(name)) return {};
  return {length + 1, std::string(name), false};
}

std::map<std::string, int> list_known_names(std::string_view text, const EmbeddingSizes& known) {
  std::map<std::string, int> names;
  for (std::size_t i = text.find('<'); i < text.size(); i = text.find('<', i + 1)) {
    const Placeholder found = find_placeholder(text, i, known);
    if (found.length > 0 && known.contains(found.name)) names.emplace(found.name, 0);
  }
  return names;
}

std::vector<Segment> split_segments(const std::string& text, const EmbeddingSizes& known) {
  std::vector<Segment> segments;
  std::string plain;
  for (std::size_t i = 0; i < text.size();) {
    if (const std::size_t network = find_network_length(text, i); network > 0) {
      i += network;
      continue;
    }
    const Placeholder found = find_placeholder(text, i, known);
    if (found.length == 0) {
      plain += text[i++];
      continue;
    }
    if (!plain.empty()) segments.push_back({std::exchange(plain, {}), false});
    segments.push_back({found.name, true});
    i += found.length;
  }
  if (!plain.empty()) segments.push_back({plain, false});
  return segments;
}

}  // namespace sdx
