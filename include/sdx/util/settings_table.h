#pragma once

#include <charconv>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "sdx/util/enum_text.h"
#include "sdx/util/error.h"
#include "sdx/util/json.h"
#include "sdx/util/units.h"

namespace sdx {

// Settings are defined once, in a table for each struct: a row says what a setting is called, which
// member holds it, what it may be, and what it is for. Everything reads and writes the struct
// through its table: command line, configuration files, records of a run and the text inside of an
// image. So do lines of a prompts file and axes of a grid. To add a setting is to add a row.

/// The type of a setting in JSON.
enum class SettingType {
  kFlag,     ///< true or false; on the command line it takes no value
  kWhole,    ///< a whole number
  kNumber,   ///< a finite number
  kText,     ///< any text, which comes back as it was: "1.10", "007"
  kTexts,    ///< several texts
  kSpelled,  ///< a text with a form of its own ("512x512"), or a number where it reads as one
};

/// Where a setting stands among the fields of an image's text ("infotext").
enum class InfotextPlace { kBeforeModel, kBehindModel, kLast };

/// The kind of thing that a text names: a shell completes it, and help shows it in place of TEXT.
enum class SettingValue {
  kAny,        ///< no name
  kFile,       ///< a file or a folder
  kFolder,     ///< a folder
  kModel,      ///< an imported model, or a folder
  kEmbedding,  ///< learnt names, with commas between them
  kPack,       ///< a pack of prompts, or a file
};

/// A row without the struct that it belongs to.
struct SettingInfo {
  std::string key;    ///< "steps": its name in JSON, in messages, and of the option
  std::string group;  ///< the heading under which help shows it
  std::string help;   ///< one line, in the imperative
  SettingType type = SettingType::kText;
  std::string expected;  ///< what it may be, in words: "a whole number of 1 or more"
  char letter = 0;       ///< a short name: 'n' for -n; 0: none
  std::vector<std::string> other_names;  ///< what other programs call it, understood as well
  std::string environment;               ///< variable that holds it where nothing else says it
  bool is_positional = false;            ///< given by its place, without a name
  bool is_required = false;
  bool is_kept = true;    ///< part of a configuration; false: of one call only
  bool is_option = true;  ///< offered on the command line; false: elsewhere only
  bool is_path = false;
  SettingValue value = SettingValue::kAny;
  std::vector<std::string> choices;  ///< all that it may be; empty where that is no short list
  bool is_common = false;            ///< among the few that the short help shows
  int most_at_once = 1;              ///< of kTexts: values that may follow the name
};

/// A row that is bound to a struct: the struct outlives it.
struct BoundSetting {
  const SettingInfo* info;
  std::function<void(const std::string&)> set_text;  ///< of kTexts: one more
  std::function<void()> clear;                       ///< of kTexts: none
  std::function<Json()> to_json;
  std::function<std::string()> to_text;  ///< as a person would type it; of kTexts joined by ", "

  /// @throws SettingError.
  void set_json(const Json& value) const;
  /// Exactly these texts; several are for kTexts only.
  void set_texts(const std::vector<std::string>& texts) const;
};

namespace settings_detail {

struct Range {
  double least = -std::numeric_limits<double>::infinity();
  double most = std::numeric_limits<double>::infinity();
};

}  // namespace settings_detail

/// The rows of one struct.
template <typename S>
class SettingsTable {
 public:
  struct Row {
    SettingInfo info;
    std::function<void(S&, const std::string&)> set_text;
    std::function<void(S&)> clear;
    std::function<Json(const S&)> to_json;
    std::function<std::string(const S&)> to_text;

    /// Its field in an image's text; without a name it has none.
    struct Infotext {
      InfotextPlace place = InfotextPlace::kBeforeModel;
      std::function<std::string(const S&)> name;  ///< may depend on other settings; "": none
      std::function<bool(const S&)> when;         ///< whether it is written; empty: always
      std::function<std::string(const S&)> text;  ///< empty: as it is typed
      bool is_fixed = true;                       ///< the name depends on nothing
      bool is_read = true;                        ///< false: written for people only
    };
    Infotext infotext;

    // What a row may say more, in one expression.
    Row& at_least(double least);
    Row& within(double least, double most);
    Row& expects(std::string text) { return set(info.expected, std::move(text)); }
    Row& letter(char name) { return set(info.letter, name); }
    Row& also(std::vector<std::string> names) { return set(info.other_names, std::move(names)); }
    Row& from_environment(std::string name) { return set(info.environment, std::move(name)); }
    Row& positional() { return set(info.is_positional, true); }
    Row& required() { return set(info.is_required, true); }
    Row& of_one_call() { return set(info.is_kept, false); }
    /// Not an option of the command line, nor part of a configuration.
    Row& for_lines_only() {
      info.is_option = false;
      return of_one_call();
    }
    Row& path(SettingValue kind = SettingValue::kFile) {
      info.is_path = true;
      return set(info.value, kind);
    }
    /// A text that names something, but is not kept as a path.
    Row& names(SettingValue kind) { return set(info.value, kind); }
    Row& may_be(std::vector<std::string> texts) { return set(info.choices, std::move(texts)); }
    Row& common() { return set(info.is_common, true); }
    Row& at_once(int most) { return set(info.most_at_once, most); }

    /// Written into images under this name, where `when` holds (empty: always).
    Row& in_images(InfotextPlace place, std::string name, std::function<bool(const S&)> when = {}) {
      infotext.place = place;
      infotext.name = [name = std::move(name)](const S&) { return name; };
      return set(infotext.when, std::move(when));
    }
    /// The name depends on the other settings.
    Row& named_in_images(std::function<std::string(const S&)> name) {
      infotext.is_fixed = false;
      return set(infotext.name, std::move(name));
    }
    /// The text there is another one than what is typed.
    Row& shown_in_images(std::function<std::string(const S&)> text) {
      return set(infotext.text, std::move(text));
    }
    Row& not_read_from_images() { return set(infotext.is_read, false); }

    /// Of a number; shared with the function that checks it, so that tables can be moved.
    std::shared_ptr<settings_detail::Range> range = std::make_shared<settings_detail::Range>();

   private:
    template <typename T, typename V>
    Row& set(T& field, V&& value) {
      field = std::forward<V>(value);
      return *this;
    }
  };

  /// The heading of the rows that follow.
  void group(std::string name) { group_ = std::move(name); }

  /// A row for a member: bool, a whole number, a floating one, text, texts, or an enum with texts.
  /// @param member a pointer to it, or a function that gives a reference to it (see nested()).
  template <typename Member>
  Row& add(std::string key, Member member, std::string help);

  /// A row with a form of its own.
  /// @param shown how the present value is typed
  /// @param parse sets it; may throw SettingError
  Row& add_spelled(std::string key, std::function<std::string(const S&)> shown,
                   std::function<void(S&, const std::string&)> parse, std::string help);

  /// All rows, in their order. A table is not changed once it is in use.
  const std::vector<Row>& rows() const { return rows_; }

 private:
  Row& add_row(std::string key, std::string help, SettingType type);

  std::string group_;
  std::vector<Row> rows_;
};

/// The way to a member of a member: nested(&Options::sampler, &Sampler::steps).
template <typename... Pointers>
constexpr auto nested(Pointers... pointers) {
  return [=](auto& value) -> auto& { return (value.*....*pointers); };
}

/// Settings of one or more structs, by which a text, a file or a person changes them.
class Settings {
 public:
  Settings() = default;

  template <typename S>
  Settings(const SettingsTable<S>& table, S& value) {
    add(table, value);
  }

  /// @param table outlives this, and so does `value`.
  template <typename S>
  Settings& add(const SettingsTable<S>& table, S& value);

  const std::vector<BoundSetting>& all() const { return all_; }

  /// By its key or another name; nullptr if there is none.
  const BoundSetting* find(std::string_view name) const;

  /// @throws UsageError for a name that no setting has, with the nearest ones; SettingError.
  const BoundSetting& at(std::string_view name) const;

  /// Reads an object. Each key is the key of a setting; what it does not name stays as it is.
  /// @param where   what messages begin with: the file's name
  /// @param skipped keys that do not count
  /// @throws UsageError for an unknown key, a wrong type or a value out of range, each named.
  void read_json(const Json& object, const std::string& where,
                 const std::set<std::string>& skipped = {}) const;

  /// Of those that belong to a configuration.
  Json to_json() const;

 private:
  std::vector<BoundSetting> all_;
};

// ------------------------------------------------------------------------------ implementation

namespace settings_detail {

[[noreturn]] void fail(const SettingInfo& info, std::string_view found);

/// "a whole number from 1 to 8", "a number of 0 or more".
std::string range_in_words(bool is_whole, const Range& range);

template <typename T>
std::optional<T> read_number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace settings_detail

template <typename S>
typename SettingsTable<S>::Row& SettingsTable<S>::Row::within(double lower, double upper) {
  *range = {lower, upper};
  info.expected = settings_detail::range_in_words(info.type == SettingType::kWhole, *range);
  return *this;
}

template <typename S>
typename SettingsTable<S>::Row& SettingsTable<S>::Row::at_least(double lower) {
  return within(lower, std::numeric_limits<double>::infinity());
}

template <typename S>
typename SettingsTable<S>::Row& SettingsTable<S>::add_row(std::string key, std::string help,
                                                          SettingType type) {
  Row& row = rows_.emplace_back();
  row.info.key = std::move(key);
  row.info.group = group_;
  row.info.help = std::move(help);
  row.info.type = type;
  return row;
}

template <typename S>
template <typename Member>
typename SettingsTable<S>::Row& SettingsTable<S>::add(std::string key, Member member,
                                                      std::string help) {
  using T = std::remove_cvref_t<std::invoke_result_t<Member, S&>>;
  namespace detail = settings_detail;
  if constexpr (std::is_same_v<T, bool>) {
    Row& row = add_row(key, std::move(help), SettingType::kFlag);
    row.info.expected = "true or false";
    row.set_text = [member, info = row.info](S& value, const std::string& text) {
      if (text != "true" && text != "false") detail::fail(info, text);
      std::invoke(member, value) = text == "true";
    };
    row.to_text = [member](const S& value) {
      return std::string(std::invoke(member, value) ? "true" : "false");
    };
    row.to_json = [member](const S& value) { return Json(std::invoke(member, value)); };
    return row;
  } else if constexpr (std::is_arithmetic_v<T>) {
    constexpr bool kIsWhole = std::is_integral_v<T>;
    Row& row = add_row(key, std::move(help), kIsWhole ? SettingType::kWhole : SettingType::kNumber);
    row.within(std::is_unsigned_v<T> ? 0 : row.range->least, row.range->most);
    row.set_text = [member, key, range = row.range](S& value, const std::string& text) {
      const auto number = detail::read_number<T>(text);
      const double as_double =
          number ? static_cast<double>(*number) : std::numeric_limits<double>::quiet_NaN();
      if (!(std::isfinite(as_double) && as_double >= range->least && as_double <= range->most)) {
        throw SettingError(key, detail::range_in_words(kIsWhole, *range), text);
      }
      std::invoke(member, value) = *number;
    };
    row.to_text = [member](const S& value) {
      if constexpr (kIsWhole) return std::to_string(std::invoke(member, value));
      return exact_number(static_cast<double>(std::invoke(member, value)));
    };
    row.to_json = [member](const S& value) { return Json(std::invoke(member, value)); };
    return row;
  } else if constexpr (std::is_same_v<T, std::string>) {
    Row& row = add_row(key, std::move(help), SettingType::kText);
    row.info.expected = "a text in quotes";
    row.set_text = [member](S& value, const std::string& text) {
      std::invoke(member, value) = text;
    };
    row.to_text = [member](const S& value) { return std::invoke(member, value); };
    row.to_json = [member](const S& value) { return Json(std::invoke(member, value)); };
    return row;
  } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
    Row& row = add_row(key, std::move(help), SettingType::kTexts);
    row.info.expected = "texts in quotes";
    row.set_text = [member](S& value, const std::string& text) {
      std::invoke(member, value).push_back(text);
    };
    row.clear = [member](S& value) { std::invoke(member, value).clear(); };
    row.to_text = [member](const S& value) {
      std::string joined;
      for (const std::string& one : std::invoke(member, value)) {
        joined += (joined.empty() ? "" : ", ") + one;
      }
      return joined;
    };
    row.to_json = [member](const S& value) { return Json(std::invoke(member, value)); };
    return row;
  } else {
    static_assert(NamedEnum<T>, "a setting of this type needs add_spelled()");
    Row& row = add_spelled(
        key,
        [member](const S& value) { return std::string(to_string(std::invoke(member, value))); },
        [member, key](S& value, const std::string& text) {
          std::invoke(member, value) = parse_enum<T>(text, key);
        },
        std::move(help));
    row.info.choices = enum_texts<T>();
    row.info.expected = list_choices(row.info.choices);
    return row;
  }
}

template <typename S>
typename SettingsTable<S>::Row& SettingsTable<S>::add_spelled(
    std::string key, std::function<std::string(const S&)> shown,
    std::function<void(S&, const std::string&)> parse, std::string help) {
  Row& row = add_row(key, std::move(help), SettingType::kSpelled);
  row.set_text = std::move(parse);
  row.to_json = [shown](const S& value) {
    const std::string text = shown(value);
    const Json number = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    return number.is_number() ? number : Json(text);
  };
  row.to_text = std::move(shown);
  return row;
}

template <typename S>
Settings& Settings::add(const SettingsTable<S>& table, S& value) {
  for (const auto& row : table.rows()) {
    BoundSetting bound;
    bound.info = &row.info;
    bound.set_text = [&row, &value](const std::string& text) { row.set_text(value, text); };
    bound.clear = [&row, &value] {
      if (row.clear) row.clear(value);
    };
    bound.to_json = [&row, &value] { return row.to_json(value); };
    bound.to_text = [&row, &value] { return row.to_text(value); };
    all_.push_back(std::move(bound));
  }
  return *this;
}

}  // namespace sdx
