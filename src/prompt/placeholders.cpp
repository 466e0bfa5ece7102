#include "prompt/placeholders.h"

#include <utility>

namespace sdx {

namespace {

bool is_name_character(char c) {
  return c != '<' && c != '>' && static_cast<unsigned char>(c) > ' ';
}

}  // namespace

std::size_t placeholder_length(std::string_view text, std::size_t start) {
  if (text[start] != '<') return 0;
  std::size_t end = start + 1;
  while (end < text.size() && is_name_character(text[end])) ++end;
  const bool closed = end < text.size() && text[end] == '>';
  return closed && end > start + 1 ? end + 1 - start : 0;
}

std::vector<Segment> split_segments(const std::string& text) {
  std::vector<Segment> segments;
  std::string plain;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = placeholder_length(text, i);
    if (length == 0) {
      plain += text[i++];
      continue;
    }
    if (!plain.empty()) segments.push_back({std::exchange(plain, {}), false});
    segments.push_back({text.substr(i + 1, length - 2), true});
    i += length;
  }
  if (!plain.empty()) segments.push_back({plain, false});
  return segments;
}

}  // namespace sdx
