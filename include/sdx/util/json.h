#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <type_traits>
#include <utility>

#include "sdx/util/enum_text.h"
#include "sdx/util/error.h"

namespace sdx {

/// Keys keep their order, so that files read as they were written.
using Json = nlohmann::ordered_json;

/// @throws MissingInputError / PermissionError / IoError, or DataError with the path and the
///         parser's line and column; also if it is larger than 64 MiB or nested more than 100
///         levels deep.
Json read_json_file(const std::filesystem::path& path);

/// The same for objects with very many keys, such as vocabularies: sorted by key, which is found in
/// logarithmic time, where Json goes through all of them one by one.
nlohmann::json read_large_json_file(const std::filesystem::path& path);

/// Whether `value` is a T without a change: nlohmann's get<T>() turns 2.7 into 2, true into 1 and,
/// for an unsigned T, -1 into the largest number.
template <typename T, typename AnyJson>
bool json_holds(const AnyJson& value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value.is_boolean();
  } else if constexpr (std::is_integral_v<T>) {
    if (value.is_number_unsigned()) return std::in_range<T>(value.template get<std::uint64_t>());
    return value.is_number_integer() && std::in_range<T>(value.template get<std::int64_t>());
  } else if constexpr (std::is_floating_point_v<T>) {
    return value.is_number();
  } else {
    return true;  // get<T>() checks by itself
  }
}

/// `object[key]` as a T.
/// @throws DataError naming `where` (a path), the key, and what was found there.
template <typename T>
T json_value(const Json& object, const std::string& key, const std::filesystem::path& where) {
  const auto found = object.find(key);
  if (found == object.end()) throw DataError(where.string() + ": key \"" + key + "\" is missing");
  std::string reason = "not a number of the kind that is expected";
  try {
    if (json_holds<T>(*found)) return found->template get<T>();
  } catch (const nlohmann::json::exception& error) {
    reason = error.what();
  }
  std::string value = found->dump(-1, ' ', false, Json::error_handler_t::replace);
  constexpr std::size_t kMaxShown = 80;
  if (value.size() > kMaxShown) value = value.substr(0, kMaxShown) + "…";
  throw DataError(where.string() + ": key \"" + key + "\" has a wrong type or value: found " +
                  value + " (" + reason + ")");
}

/// The same, or `fallback` where the key is absent or null.
template <typename T>
T json_value(const Json& object, const std::string& key, const std::filesystem::path& where,
             T fallback) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return fallback;
  return json_value<T>(object, key, where);
}

/// `object[key]` as the value of an enum.
/// @throws DataError naming `where`, the key, the texts of the enum, and what was found there.
template <NamedEnum E>
E json_enum(const Json& object, const std::string& key, const std::filesystem::path& where) {
  const auto text = json_value<std::string>(object, key, where);
  if (const auto value = find_enum<E>(text)) return *value;
  throw DataError(where.string() + ": key \"" + key + "\": expected " +
                  list_choices(enum_texts<E>()) + ", found \"" + text + "\"");
}

}  // namespace sdx
