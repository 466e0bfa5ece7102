#include "sdx/util/file_name.h"

#include <utf8proc.h>

#include "sdx/util/utf8.h"

namespace sdx {
namespace {

// A file's name ends at 255 bytes; number, seed, ending and a temporary file's marks come to these.
constexpr std::size_t kMostBytes = 160;

bool is_letter_or_digit(char32_t character) {
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(character))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:  // accents and vowel signs are written as characters of their own
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
      return true;
    default:
      return false;
  }
}

std::string cut(std::string_view text, std::size_t most) {
  std::string result;
  std::size_t count = 0;
  while (!text.empty() && count < most) {
    const std::optional<char32_t> character = take_character(text);
    if (character && is_letter_or_digit(*character)) {
      std::string written;
      append_utf8(written, *character < 0x80 && *character >= 'A' && *character <= 'Z'
                               ? *character + ('a' - 'A')
                               : *character);
      if (result.size() + written.size() > kMostBytes) break;
      result += written;
    } else if (!result.empty() && result.back() != '-') {
      result += '-';
    } else {
      continue;
    }
    ++count;
  }
  while (!result.empty() && result.back() == '-') result.pop_back();
  return result;
}

}  // namespace

std::string make_file_name(std::string_view text, const std::vector<std::string>& names,
                           std::size_t most) {
  std::string result = cut(text, most);
  for (const std::string& name : names) {
    const std::string part = cut(name, most);
    const bool is_new = ("-" + result + "-").find("-" + part + "-") == std::string::npos;
    if (part.empty() || !is_new || result.size() + 1 + part.size() > kMostBytes) continue;
    result += (result.empty() ? "" : "-") + part;
  }
  return result.empty() ? "picture" : result;
}

}  // namespace sdx
