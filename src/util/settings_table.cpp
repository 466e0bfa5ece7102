#include "sdx/util/settings_table.h"

#include <algorithm>
#include <array>

#include "sdx/util/text.h"
#include "sdx/util/units.h"

namespace sdx {

namespace settings_detail {

void fail(const SettingInfo& info, std::string_view found) {
  throw SettingError(info.key, info.expected, found);
}

std::string range_in_words(bool is_whole, const Range& range) {
  const std::string kind = is_whole ? "a whole number" : "a number";
  const auto written = [is_whole](double bound) {
    return is_whole ? std::to_string(static_cast<std::int64_t>(bound)) : exact_number(bound);
  };
  const bool has_least = std::isfinite(range.least);
  const bool has_most = std::isfinite(range.most);
  if (has_least && has_most) {
    return kind + " from " + written(range.least) + " to " + written(range.most);
  }
  if (has_least) return kind + " of " + written(range.least) + " or more";
  if (has_most) return kind + " of " + written(range.most) + " or less";
  return kind;
}

}  // namespace settings_detail

void BoundSetting::set_json(const Json& value) const {
  const auto fail = [&] {
    settings_detail::fail(*info, value.is_string() ? value.get<std::string>() : value.dump());
  };
  switch (info->type) {
    case SettingType::kFlag:
      if (!value.is_boolean()) fail();
      return set_text(value.get<bool>() ? "true" : "false");
    case SettingType::kWhole:
      if (!value.is_number_integer()) fail();
      return set_text(value.dump());
    case SettingType::kNumber:
      if (!value.is_number()) fail();
      return set_text(value.dump());
    case SettingType::kText:
      // Up to version 0.1 a text of digits was written as a number; only whole ones come back as
      // they were.
      if (!value.is_string() && !value.is_number_integer()) fail();
      return set_text(value.is_string() ? value.get<std::string>() : value.dump());
    case SettingType::kTexts: {
      const Json list = value.is_array() ? value : Json::array({value});
      std::vector<std::string> texts;
      for (const Json& one : list) {
        if (!one.is_string() && !one.is_number_integer()) fail();
        texts.push_back(one.is_string() ? one.get<std::string>() : one.dump());
      }
      return set_texts(texts);
    }
    case SettingType::kSpelled:
      if (!value.is_string() && !value.is_number()) fail();
      return set_text(value.is_string() ? value.get<std::string>() : value.dump());
  }
}

void BoundSetting::set_texts(const std::vector<std::string>& texts) const {
  clear();
  for (const std::string& text : texts) set_text(text);
}

const BoundSetting* Settings::find(std::string_view name) const {
  for (const BoundSetting& one : all_) {
    const std::vector<std::string>& others = one.info->other_names;
    if (one.info->key == name || std::find(others.begin(), others.end(), name) != others.end()) {
      return &one;
    }
  }
  return nullptr;
}

const BoundSetting& Settings::at(std::string_view name) const {
  if (const BoundSetting* const found = find(name)) return *found;
  std::vector<std::string> keys;
  for (const BoundSetting& one : all_) keys.push_back(one.info->key);
  throw UsageError("there is no setting `" + std::string(name) + "`; the nearest are `" +
                   join(nearest_words(std::string(name), keys, 3), "`, `") + "`");
}

void Settings::read_json(const Json& object, const std::string& where,
                         const std::set<std::string>& skipped) const {
  if (!object.is_object()) throw DataError(where + ": expected one JSON object");
  for (const auto& [key, value] : object.items()) {
    if (skipped.contains(key)) continue;
    try {
      const BoundSetting& setting = at(key);
      if (!setting.info->is_kept) {
        throw UsageError("`" + key + "` is not part of a configuration; give it with each call");
      }
      setting.set_json(value);
    } catch (const Error& error) {
      throw UsageError(where + ": " + error.what());
    }
  }
}

Json Settings::to_json() const {
  Json json = Json::object();
  for (const BoundSetting& one : all_) {
    if (one.info->is_kept) json[one.info->key] = one.to_json();
  }
  return json;
}

}  // namespace sdx
