#include "sdx/util/name.h"

#include <utf8proc.h>

#include <cstdlib>
#include <memory>

#include "sdx/util/error.h"
#include "sdx/util/utf8.h"

namespace sdx {

namespace {

const utf8proc_uint8_t* as_bytes(std::string_view text) {
  return reinterpret_cast<const utf8proc_uint8_t*>(text.data());
}

std::optional<std::string> character_fault(char32_t character) {
  if (character == '<' || character == '>') return "has a '<' or '>' in it";
  if (character == '/' || character == '\\') return "has a path separator in it";
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(character))) {
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return "has a blank in it";
    case UTF8PROC_CATEGORY_CC:
      if (character == '\t' || character == '\n' || character == '\r') return "has a blank in it";
      return "has a control character in it";
    default:
      return std::nullopt;
  }
}

}  // namespace

std::optional<std::string> name_fault(std::string_view name) {
  if (name.empty()) return "is empty";
  if (name.size() > kMaxNameBytes) {
    return "has " + std::to_string(name.size()) + " bytes, at most " +
           std::to_string(kMaxNameBytes) + " are possible";
  }
  if (name.starts_with('.')) return "begins with a dot";
  for (std::string_view rest = name; !rest.empty();) {
    const auto character = take_character(rest);
    if (!character) return "is not UTF-8";
    if (auto fault = character_fault(*character)) return fault;
  }
  if (caseless_name(name).empty()) return "has no letter that could be seen";
  return std::nullopt;
}

bool is_usable_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes && name != "*" &&
         name.find_first_of("<>") == std::string_view::npos && is_plain_text(name);
}

std::string caseless_name(std::string_view name) {
  constexpr auto kOptions = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE |
                                                           UTF8PROC_CASEFOLD | UTF8PROC_IGNORE);
  utf8proc_uint8_t* mapped = nullptr;
  const utf8proc_ssize_t length =
      utf8proc_map(as_bytes(name), static_cast<utf8proc_ssize_t>(name.size()), &mapped, kOptions);
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(mapped, &std::free);
  if (length < 0) throw DataError("not UTF-8");
  return {reinterpret_cast<const char*>(mapped), static_cast<std::size_t>(length)};
}

}  // namespace sdx
