#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "sdx/util/json.h"

namespace sdx {

/// A page that holds all of itself: `index.html` of a folder, with the folder's style.css and
/// script.js in it and each `{{key}}` replaced by its value. In a value nothing is replaced again:
/// a prompt may hold "{{script}}".
///
/// The keys `style`, `script`, and `style_hash`, `script_hash` for the content policy are known
/// already. The policy then allows this style sheet and this script, and nothing else.
/// @param parts  folder with index.html, style.css and script.js: `<data folder>/gallery`
/// @param values by key, as HTML; text must be escaped (escape_html), data too (to_script_json)
/// @throws MissingInputError for a part that is missing; DataError for an unknown key in
/// index.html.
std::string make_page(const std::filesystem::path& parts,
                      std::map<std::string, std::string> values);

/// JSON that can stand in a `<script type="application/json">`: ASCII without "<", so that nothing
/// in it ends the element. What is not UTF-8 becomes U+FFFD.
std::string to_script_json(const Json& value);

}  // namespace sdx
