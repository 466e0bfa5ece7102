#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sdx {

/// How a picture was made, in the form that AUTOMATIC1111 made common: the prompt, a section
/// "Negative prompt: …", and a last line "Steps: 20, Sampler: Euler, CFG scale: 7, …".
struct Infotext {
  std::string prompt;           ///< may have several lines
  std::string negative_prompt;  ///< may have several lines; empty: none
  /// Settings in their order. A key has two or more letters, digits, "_", "-", "/" and blanks and
  /// begins with a letter, digit or "_"; a value is any UTF-8.
  std::vector<std::pair<std::string, std::string>> fields;

  /// The value of the first field with this key, or nothing.
  std::optional<std::string> field(std::string_view key) const;

  bool operator==(const Infotext&) const = default;
};

/// The text for a picture. Values with a comma, colon, quote, control letter or outer blanks
/// are quoted as JSON.
///
/// A line of the prompt that itself begins with "Negative prompt:" would be read as the beginning
/// of that section. Such prompts get one more field, "Prompt lines: N", by which parse_infotext
/// finds their end; other programs do not know it and take that line for the section's beginning.
/// @throws InternalError for one or two fields (no reader takes fewer than three for settings), for
///         a key that readers would not find again, and for the key "Prompt lines".
std::string format_infotext(const Infotext& infotext);

/// Reads such a text, of ours or of another program. The last line counts as settings only if it
/// has three or more pairs, by AUTOMATIC1111's pattern
/// `\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)`; without them everything is prompt.
/// The first line before it that begins with "Negative prompt:" begins that section.
/// Blanks and line breaks of the prompts stay as they are, so that
/// parse_infotext(format_infotext(x)) == x for every x with three or more fields.
Infotext parse_infotext(std::string_view text);

}  // namespace sdx
