#include "sdx/roster/consent.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>

#include "sdx/util/text.h"

namespace sdx {

namespace {

// A refusal that is taken for consent does harm, the other way round a line is edited: so the words
// of some neighbours' languages are among them, and doubtful states.
constexpr std::array<std::string_view, 21> kNo = {
    "0",       "–",        "—",      "n",       "no",        "nay",     "none",
    "not",     "never",    "false",  "nein",    "non",       "nee",     "refused",
    "refuses", "declined", "denied", "revoked", "withdrawn", "pending", "unknown"};

/// Whether the first word does, or there is none.
bool means_no(const std::string& given) {
  const auto begin = std::find_if(given.begin(), given.end(), is_word_character);
  const auto end = std::find_if_not(begin, given.end(), is_word_character);
  const std::string word = lower_case(std::string(begin, end));
  return word.empty() || std::find(kNo.begin(), kNo.end(), word) != kNo.end();
}

}  // namespace

bool is_date(std::string_view text) {
  const auto number = [text](std::size_t begin, std::size_t length) {
    int value = 0;
    for (const char c : text.substr(begin, length)) {
      if (c < '0' || c > '9') return -1;
      value = 10 * value + (c - '0');
    }
    return value;
  };
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return false;
  const int year = number(0, 4);
  const int month = number(5, 2);
  const int day = number(8, 2);
  return year >= 0 && month >= 0 && day >= 0 &&
         std::chrono::year_month_day(std::chrono::year(year),
                                     std::chrono::month(static_cast<unsigned>(month)),
                                     std::chrono::day(static_cast<unsigned>(day)))
             .ok();
}

std::string today() {
  const std::time_t now = std::time(nullptr);
  std::tm local = {};
  ::localtime_r(&now, &local);
  std::array<char, sizeof "2027-03-31"> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%d", &local);
  return text.data();
}

std::optional<std::string> why_refused(const Consent& consent, std::string_view today) {
  const std::string given = trim(consent.given);
  if (given.empty()) return "no consent is recorded";
  if (means_no(given)) return "no consent is recorded: the roster says \"" + given + "\"";
  // Dates of this form are in the order of their letters.
  if (!consent.until.empty() && consent.until < today) {
    return "the consent ended on " + consent.until;
  }
  return std::nullopt;
}

}  // namespace sdx
