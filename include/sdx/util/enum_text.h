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

/// A value of an enum and the text that a person types and reads for it.
template <typename E>
struct EnumText {
  E value;
  std::string_view text;
};

/// The texts of all values of an enum, written once, beside the enum:
///
///     template <>
///     inline constexpr std::array kEnumTexts<Grammar> = {EnumText{Grammar::kA1111, "a1111"},
///                                                        EnumText{Grammar::kPlain, "plain"}};
///
/// to_string(), find_enum() and parse_enum() then serve the enum. The order is that of messages.
template <typename E>
inline constexpr std::array<EnumText<E>, 0> kEnumTexts = {};

template <typename E>
concept NamedEnum = std::is_enum_v<E> && (kEnumTexts<E>.size() > 0);

/// The text of a value.
template <NamedEnum E>
constexpr std::string_view to_string(E value) {
  for (const EnumText<E>& one : kEnumTexts<E>) {
    if (one.value == value) return one.text;
  }
  return "";
}

/// The value of a text, or nothing.
template <NamedEnum E>
constexpr std::optional<E> find_enum(std::string_view text) {
  for (const EnumText<E>& one : kEnumTexts<E>) {
    if (one.text == text) return one.value;
  }
  return std::nullopt;
}

/// "auto, cpu or cuda": what a message offers.
std::string one_of(const std::vector<std::string>& texts);

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
  throw SettingError(field, one_of(enum_texts<E>()), text);
}

}  // namespace sdx
