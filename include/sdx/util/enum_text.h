#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sdx/util/error.h"

namespace sdx {

/// A value of an enum and the texts for it.
template <typename E>
struct EnumText {
  E value;
  std::string_view text;          ///< as it is typed and written: "euler_a"
  std::string_view display = {};  ///< as other programs show it: "Euler a"; empty: like `text`
  std::string_view alias = {};    ///< another spelling that is read; mostly empty
};

/// The texts of all values of an enum, written once, beside the enum:
///
///     template <>
///     inline constexpr std::array kEnumTexts<Grammar> = {EnumText{Grammar::kA1111, "a1111"},
///                                                        EnumText{Grammar::kPlain, "plain"}};
///
/// to_string(), display_name(), find_enum() and parse_enum() then serve the enum, and
/// json_enum() of json.h reads it from a file. The order is that of messages.
template <typename E>
inline constexpr std::array<EnumText<E>, 0> kEnumTexts = {};

template <typename E>
concept NamedEnum = std::is_enum_v<E> &&(kEnumTexts<E>.size() > 0);

/// Whether two texts are equal, whatever the case of their ASCII letters.
constexpr bool is_same_text(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [lower](char x, char y) { return lower(x) == lower(y); });
}

/// The text of a value.
template <NamedEnum E>
constexpr std::string_view to_string(E value) {
  for (const EnumText<E>& one : kEnumTexts<E>) {
    if (one.value == value) return one.text;
  }
  return "";
}

/// The text of a value as other programs show it.
template <NamedEnum E>
constexpr std::string_view display_name(E value) {
  for (const EnumText<E>& one : kEnumTexts<E>) {
    if (one.value == value) return one.display.empty() ? one.text : one.display;
  }
  return "";
}

/// The value of a text in any of its spellings and in any case, or nothing.
template <NamedEnum E>
constexpr std::optional<E> find_enum(std::string_view text) {
  if (text.empty()) return std::nullopt;
  for (const EnumText<E>& one : kEnumTexts<E>) {
    for (const std::string_view spelling : {one.text, one.display, one.alias}) {
      if (is_same_text(text, spelling)) return one.value;
    }
  }
  return std::nullopt;
}

/// "face, center or none": what a message offers.
std::string list_choices(const std::vector<std::string>& texts);

/// The texts of an enum, in their order.
template <NamedEnum E>
std::vector<std::string> enum_texts() {
  std::vector<std::string> texts;
  for (const EnumText<E>& one : kEnumTexts<E>) texts.emplace_back(one.text);
  return texts;
}

/// The value of a text that a person gave for the setting `field`.
/// @throws SettingError that lists the texts.
template <NamedEnum E>
E parse_enum(std::string_view text, const std::string& field) {
  if (const auto value = find_enum<E>(text)) return *value;
  throw SettingError(field, list_choices(enum_texts<E>()), text);
}

}  // namespace sdx
