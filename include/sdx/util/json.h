#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

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

template <typename T>
inline constexpr bool kIsJsonList = false;
template <typename Item, typename Allocator>
inline constexpr bool kIsJsonList<std::vector<Item, Allocator>> = true;
template <typename T>
inline constexpr bool kIsJsonMap = false;
template <typename Value>
inline constexpr bool kIsJsonMap<std::map<std::string, Value>> = true;

/// Whether `value` is a T without a change: nlohmann's get<T>() turns 2.7 into 2, true into 1 and,
/// for an unsigned T, -1 into the largest number. Lists and objects hold what each of their values
/// holds.
template <typename T, typename AnyJson>
bool json_holds(const AnyJson& value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value.is_boolean();
  } else if constexpr (std::is_integral_v<T>) {
    if (value.is_number_unsigned()) return std::in_range<T>(value.template get<std::uint64_t>());
    return value.is_number_integer() && std::in_range<T>(value.template get<std::int64_t>());
  } else if constexpr (std::is_floating_point_v<T>) {
    return value.is_number();
  } else if constexpr (std::is_same_v<T, std::string>) {
    return value.is_string();
  } else if constexpr (kIsJsonList<T>) {
    return value.is_array() && std::all_of(value.begin(), value.end(), [](const AnyJson& item) {
             return json_holds<typename T::value_type>(item);
           });
  } else if constexpr (kIsJsonMap<T>) {
    return value.is_object() && std::all_of(value.begin(), value.end(), [](const AnyJson& item) {
             return json_holds<typename T::mapped_type>(item);
           });
  } else {
    return true;  // JSON itself
  }
}

/// The name of a T in messages: "a whole number", "a list, each of it a text".
template <typename T>
std::string describe_json_type() {
  if constexpr (std::is_same_v<T, bool>) {
    return "true or false";
  } else if constexpr (std::is_integral_v<T>) {
    return std::is_unsigned_v<T> ? "a whole number, 0 or more" : "a whole number";
  } else if constexpr (std::is_floating_point_v<T>) {
    return "a number";
  } else if constexpr (std::is_same_v<T, std::string>) {
    return "a text";
  } else if constexpr (kIsJsonList<T>) {
    return "a list, each of it " + describe_json_type<typename T::value_type>();
  } else if constexpr (kIsJsonMap<T>) {
    return "an object, each value of it " + describe_json_type<typename T::mapped_type>();
  } else {
    return "another value";
  }
}

/// A value for a message: at most 80 bytes of its JSON.
template <typename AnyJson>
std::string describe_json(const AnyJson& value) {
  std::string text = value.dump(-1, ' ', false, AnyJson::error_handler_t::replace);
  constexpr std::size_t kMaxShown = 80;
  if (text.size() > kMaxShown) text.replace(kMaxShown, std::string::npos, "…");
  return text;
}

/// `object[key]` as a T.
/// @throws DataError naming `where` (a path), the key, what was expected and what was found there;
///         also if `object` is no object.
template <typename T, typename AnyJson>
T json_value(const AnyJson& object, const std::string& key, const std::filesystem::path& where) {
  if (!object.is_object()) {
    throw DataError(where.string() + ": expected an object with the key \"" + key + "\", found " +
                    describe_json(object));
  }
  const auto found = object.find(key);
  if (found == object.end()) throw DataError(where.string() + ": key \"" + key + "\" is missing");
  if (json_holds<T>(*found)) return found->template get<T>();
  throw DataError(where.string() + ": key \"" + key + "\" has a wrong type or value: expected " +
                  describe_json_type<T>() + ", found " + describe_json(*found));
}

/// The same, or `fallback` where the key is absent or null.
template <typename T, typename AnyJson>
T json_value(const AnyJson& object, const std::string& key, const std::filesystem::path& where,
             T fallback) {
  if (object.is_object()) {
    const auto found = object.find(key);
    if (found == object.end() || found->is_null()) return fallback;
  }
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
