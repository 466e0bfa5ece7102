#include "generation/origin_texts.h"

#include <algorithm>
#include <array>

#include "sdx/image/metadata.h"
#include "sdx/util/text.h"
#include "sdx/util/units.h"

namespace sdx::origin {

namespace {

/// JSON as Python writes it, with null for the NaN and Infinity that JSON does not have.
std::string with_null_for_nan(std::string_view text) {
  constexpr std::array<std::string_view, 3> kWords = {"NaN", "-Infinity", "Infinity"};
  std::string clean;
  bool is_quoted = false;
  while (!text.empty()) {
    std::size_t taken = 1;
    if (is_quoted && text.front() == '\\') taken = std::min<std::size_t>(2, text.size());
    if (text.front() == '"') is_quoted = !is_quoted;
    const auto word = std::find_if(kWords.begin(), kWords.end(),
                                   [text](std::string_view one) { return text.starts_with(one); });
    if (!is_quoted && word != kWords.end()) {
      taken = word->size();
      clean += "null";
    } else {
      clean += text.substr(0, taken);
    }
    text.remove_prefix(taken);
  }
  return clean;
}

}  // namespace

std::string_view find_text(const Texts& texts, const std::string& key) {
  const auto found = texts.find(key);
  return found == texts.end() ? std::string_view() : std::string_view(found->second);
}

std::string_view parameters_in(const Texts& texts) { return find_text(texts, kParametersKeyword); }

bool holds(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

bool is_json(std::string_view text) {
  constexpr const char* kBlanks = " \t\r\n";
  std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == text.npos) return false;
  if (text[begin] == '[') {
    begin = text.find_first_not_of(kBlanks, begin + 1);
    if (begin == text.npos || text[begin] != '{') return false;
  }
  if (text[begin] != '{') return false;
  const std::size_t next = text.find_first_not_of(kBlanks, begin + 1);
  return next == text.npos || text[next] == '"' || text[next] == '}';
}

Tree parse_object(std::string_view text) {
  if (text.size() > kMaxJsonBytes) throw Unreadable{"its JSON has more than 16 MiB"};
  const auto check_depth = [](int depth, Tree::parse_event_t, Tree&) {
    if (depth > kMaxJsonDepth) throw Unreadable{"its JSON is nested more than 100 levels deep"};
    return true;
  };
  Tree tree = Tree::parse(text, check_depth, /*allow_exceptions=*/false);
  if (tree.is_discarded()) {
    tree = Tree::parse(with_null_for_nan(text), check_depth, /*allow_exceptions=*/false);
  }
  if (!tree.is_object()) throw Unreadable{"its JSON is damaged"};
  return tree;
}

const Tree* find_member(const Tree& object, const std::string& key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

std::string text_member(const Tree& object, const std::string& key) {
  const Tree* const value = find_member(object, key);
  return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

void take_prompts(const Tree& object, const std::string& positive, const std::string& negative,
                  ImageOrigin& origin) {
  const Tree* const prompt = find_member(object, positive);
  if (prompt == nullptr || !prompt->is_string()) origin.prompt_fault = "it states no prompt";
  origin.infotext.prompt = text_member(object, positive);
  origin.infotext.negative_prompt = text_member(object, negative);
}

std::optional<std::string> setting_text(const Tree& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>() ? "True" : "False";
  if (value.is_number_integer()) return value.dump();
  if (value.is_number()) return exact_number(value.get<double>());
  return std::nullopt;
}

bool is_used(const Tree& value) {
  if (value.is_structured()) return !value.empty();
  if (value.is_number()) return value.get<double>() != 0;
  const std::string text = lower_case(setting_text(value).value_or(""));
  return text != "" && text != "none" && text != "false" && text != "null" && text != "[]";
}

Tree with_plain_keys(const Tree& object) {
  Tree plain = Tree::object();
  for (const auto& [key, value] : object.items()) {
    plain[replace_all(lower_case(key), " ", "_")] = value;
  }
  return plain;
}

void add_field(Infotext& infotext, const std::string& key, const std::string& value) {
  if (!infotext.field(key)) infotext.fields.emplace_back(key, value);
}

void take_settings(const Tree& object, std::span<const Naming> namings, Infotext& infotext) {
  for (const Naming& naming : namings) {
    const Tree* const value = find_member(object, naming.theirs);
    if (value == nullptr) continue;
    if (naming.is_lack) {
      if (is_used(*value)) add_field(infotext, naming.ours, "True");
    } else if (const auto text = setting_text(*value); text && lower_case(*text) != "none") {
      add_field(infotext, naming.ours, *text);
    }
  }
}

void take_size(const Tree& object, Infotext& infotext) {
  const Tree* const width = find_member(object, "width");
  const Tree* const height = find_member(object, "height");
  if (width == nullptr || height == nullptr) return;
  const auto width_text = setting_text(*width);
  const auto height_text = setting_text(*height);
  if (width_text && height_text) add_field(infotext, kSize, *width_text + "x" + *height_text);
}

}  // namespace sdx::origin
