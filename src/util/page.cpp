#include "sdx/util/page.h"

#include "sdx/util/base64.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "sdx/util/sha256.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

/// The source expression of a content policy that allows this style sheet or script alone.
std::string allow_by_hash(const std::string& text) {
  const std::string hex = sha256_hex(text);
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  return "'sha256-" + to_base64(bytes) + "'";
}

std::string fill(const std::string& skeleton, const std::map<std::string, std::string>& values,
                 const fs::path& where) {
  std::string page;
  std::size_t done = 0;
  for (std::size_t at = 0; (at = skeleton.find("{{", done)) != std::string::npos;) {
    const std::size_t end = skeleton.find("}}", at);
    if (end == std::string::npos) break;
    const std::string key = skeleton.substr(at + 2, end - at - 2);
    const auto value = values.find(key);
    if (value == values.end()) {
      throw DataError(where.string() + ": unknown placeholder {{" + key + "}}");
    }
    page.append(skeleton, done, at - done).append(value->second);
    done = end + 2;
  }
  return page.append(skeleton, done);
}

}  // namespace

std::string make_page(const fs::path& parts, std::map<std::string, std::string> values) {
  const std::string style = read_file(parts / "style.css");
  const std::string script = read_file(parts / "script.js");
  values["style_hash"] = allow_by_hash(style);
  values["script_hash"] = allow_by_hash(script);
  values["style"] = style;
  values["script"] = script;
  return fill(read_file(parts / "index.html"), values, parts / "index.html");
}

std::string to_script_json(const Json& value) {
  std::string text;
  for (const char c : value.dump(-1, ' ', true, Json::error_handler_t::replace)) {
    if (c == '<') {
      text += "\\u003c";
    } else {
      text += c;
    }
  }
  return text;
}

}  // namespace sdx
