#include "sdx/generation/infotext_format.h"

#include <algorithm>
#include <charconv>

#include "sdx/util/error.h"
#include "sdx/util/json.h"
#include "sdx/util/text.h"

namespace sdx {

namespace {

constexpr std::string_view kNegative = "Negative prompt:";
constexpr std::string_view kPromptLines = "Prompt lines";
constexpr std::size_t kFewestFields = 3;

using Field = std::pair<std::string, std::string>;

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == '\x7F'; }

/// The pattern's \w; letters beyond ASCII are taken as they are in Python.
bool is_word(char c) { return is_word_character(c); }

bool is_key(char c) { return is_word(c) || c == ' ' || c == '-' || c == '/'; }

std::string quoted(const std::string& value) {
  return Json(value).dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string field_value(const std::string& value) {
  const bool needs_quotes = value.find_first_of(",:\"") != std::string::npos ||
                            std::any_of(value.begin(), value.end(), is_control) ||
                            (!value.empty() && (is_blank(value.front()) || is_blank(value.back())));
  return needs_quotes ? quoted(value) : value;
}

std::string unquoted(std::string_view value) {
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
    const Json parsed = Json::parse(value, nullptr, false);
    if (parsed.is_string()) return parsed.get<std::string>();
  }
  return std::string(value);
}

/// Length of the quoted string that `text` begins with, if a comma or nothing follows it; else 0.
std::size_t quoted_length(std::string_view text) {
  if (!text.starts_with('"')) return 0;
  std::size_t end = 1;
  while (end < text.size() && text[end] != '"') end += text[end] == '\\' ? 2 : 1;
  const bool closed = end > 1 && end < text.size();
  if (!closed || (end + 1 < text.size() && text[end + 1] != ',')) return 0;
  return end + 1;
}

/// All pairs of a line by the documented pattern, in one pass.
std::vector<Field> split_pairs(std::string_view line) {
  std::vector<Field> pairs;
  while (true) {
    const auto begin = std::find_if(line.begin(), line.end(), is_word);
    const auto end = std::find_if_not(begin, line.end(), is_key);
    if (end == line.end()) return pairs;
    const std::string_view key(begin, end);
    const bool found = *end == ':' && key.size() >= 2;
    line.remove_prefix(static_cast<std::size_t>(end - line.begin()) + 1);
    if (!found) continue;
    while (!line.empty() && is_blank(line.front())) line.remove_prefix(1);
    std::size_t length = quoted_length(line);
    if (length == 0) length = std::min(line.find(','), line.size());
    pairs.emplace_back(key, unquoted(line.substr(0, length)));
    line.remove_prefix(std::min(length + 1, line.size()));
  }
}

std::size_t count_lines(std::string_view text) {
  return 1 + static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

/// Where the first line of `text` from `position` on begins that starts the negative prompt.
std::size_t negative_begin(std::string_view text) {
  if (text.starts_with(kNegative)) return 0;
  const std::size_t found = text.find("\n" + std::string(kNegative));
  return found == text.npos ? text.npos : found + 1;
}

/// Where the lines of `text` begin, and behind them where it ends.
std::vector<std::size_t> list_line_begins(std::string_view text) {
  std::vector<std::size_t> begins = {0};
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n') begins.push_back(i + 1);
  }
  begins.push_back(text.size());
  return begins;
}

/// Removes the fields "Prompt lines" and returns where they say that the negative prompt begins in
/// `prompts`, if it can be true.
std::optional<std::size_t> take_prompt_end(std::vector<Field>& fields, std::string_view prompts) {
  std::optional<std::size_t> end;
  std::vector<std::size_t> begins;  // looked up once: there may be thousands of such fields
  for (const auto& [key, value] : fields) {
    std::size_t lines = 0;
    if (key != kPromptLines) continue;
    const auto [rest, failure] = std::from_chars(value.data(), value.data() + value.size(), lines);
    if (failure != std::errc() || rest != value.data() + value.size() || lines < 1) continue;
    if (begins.empty()) begins = list_line_begins(prompts);
    if (lines >= begins.size()) continue;
    const std::size_t begin = begins[lines];
    if (begin == prompts.size() || prompts.substr(begin).starts_with(kNegative)) end = begin;
  }
  std::erase_if(fields, [](const Field& field) { return field.first == kPromptLines; });
  return end;
}

void split_prompts(std::string_view prompts, std::size_t negative, Infotext& infotext) {
  if (negative >= prompts.size()) {
    infotext.prompt = prompts;
    return;
  }
  infotext.prompt = prompts.substr(0, negative == 0 ? 0 : negative - 1);
  prompts.remove_prefix(negative + kNegative.size());
  if (prompts.starts_with(' ')) prompts.remove_prefix(1);
  infotext.negative_prompt = prompts;
}

}  // namespace

std::optional<std::string> Infotext::field(std::string_view key) const {
  const auto found = std::find_if(fields.begin(), fields.end(),
                                  [key](const Field& field) { return field.first == key; });
  if (found == fields.end()) return std::nullopt;
  return found->second;
}

std::string format_infotext(const Infotext& infotext) {
  std::string text = infotext.prompt;
  if (!infotext.negative_prompt.empty()) {
    text += "\n" + std::string(kNegative) + " " + infotext.negative_prompt;
  }
  if (infotext.fields.empty()) return text;
  if (infotext.fields.size() < kFewestFields) {
    throw InternalError("an infotext with fewer than three settings cannot be read again");
  }
  std::string line;
  for (const auto& [key, value] : infotext.fields) {
    if (key.size() < 2 || !is_word(key.front()) || !std::all_of(key.begin(), key.end(), is_key) ||
        key == kPromptLines) {
      throw InternalError("\"" + key + "\" cannot be the key of a setting");
    }
    line += (line.empty() ? "" : ", ") + key + ": " + field_value(value);
  }
  if (negative_begin(infotext.prompt) != std::string::npos) {
    line += ", " + std::string(kPromptLines) + ": " + std::to_string(count_lines(infotext.prompt));
  }
  return text + "\n" + line;
}

Infotext parse_infotext(std::string_view text) {
  Infotext infotext;
  // Some programs end the text with line breaks.
  std::string_view ended = text;
  while (!ended.empty() && is_blank(ended.back())) ended.remove_suffix(1);
  const std::size_t last_break = ended.rfind('\n');
  const std::size_t last_line = last_break == ended.npos ? 0 : last_break + 1;
  infotext.fields = split_pairs(ended.substr(last_line));
  if (infotext.fields.size() < kFewestFields) {
    infotext.fields.clear();
    split_prompts(text, negative_begin(text), infotext);
    return infotext;
  }
  const std::string_view prompts = text.substr(0, last_line == 0 ? 0 : last_break);
  const std::optional<std::size_t> told = take_prompt_end(infotext.fields, prompts);
  split_prompts(prompts, told.value_or(negative_begin(prompts)), infotext);
  return infotext;
}

}  // namespace sdx
