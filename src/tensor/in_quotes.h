#pragma once

#include <string>
#include <string_view>

namespace sdx {

/// A name out of a foreign file, in quotes, for a message: cut to 80 characters, and everything but
/// printable ASCII a "?", so that it can neither flood nor command the terminal.
inline std::string in_quotes(std::string_view name) {
  constexpr std::size_t kMaxShown = 80;
  std::string shown = "\"";
  for (const char c : name.substr(0, kMaxShown)) shown += c >= ' ' && c <= '~' ? c : '?';
  return shown + (name.size() > kMaxShown ? "…\"" : "\"");
}

}  // namespace sdx
