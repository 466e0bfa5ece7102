#include "sdx/roster/consent.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <span>
#include <vector>

#include "sdx/util/name.h"
#include "sdx/util/text.h"
#include "sdx/util/utf8.h"

namespace sdx {

namespace {

/// What a consent may begin with, caseless: "yes" and "true" as people and office programs write
/// them. What is not here is asked about, for a refusal that is taken for consent does harm.
constexpr auto kYesWords = std::to_array<std::string_view>({
    "yes",  "y",          "true",     "ok",        "okay",  // English
    "ja",   "j",          "wahr",                           // German; ja in many more
    "oui",  "vrai",                                         // French
    "sí",   "sì",         "si",       "verdadero", "vero",  // Spanish, Italian
    "sim",  "verdadeiro",                                   // Portuguese
    "waar", "sand",       "sann",     "joo",       "kyllä",
    "tosi",                                                   // Dutch, Danish, Swedish, Finnish
    "tak",  "prawda",     "ano",      "áno",       "pravda",  // Polish, Czech, Slovak
    "да",   "истина",     "так",      "істина",               // Russian, Bulgarian, Ukrainian
    "da",   "adevărat",   "adevarat", "igen",      "igaz",    // Romanian, Croatian, Hungarian
    "evet", "doğru",      "ναι",      "αληθής",    "jah",
    "taip", "jā",                                         // Turkish, Greek, Baltic languages
    "是",   "是的",       "はい",     "예",        "네",  // Chinese, Japanese, Korean
    "1",    "x",          "✓",        "✔",         "☑",
    "✅",  // ticked boxes
});

/// What says no at the beginning.
constexpr auto kNoWords = std::to_array<std::string_view>({
    "0",       "–",        "—",      "n",       "no",        "nay",    "none", "not",    "never",
    "false",   "nein",     "nicht",  "kein",    "keine",     "falsch", "non",  "pas",    "faux",
    "nee",     "niet",     "onwaar", "falso",   "não",       "nie",    "нет",  "не",     "ні",
    "ei",      "nej",      "nei",    "ikke",    "inte",      "hayır",  "nem",  "ne",     "refused",
    "refuses", "declined", "denied", "revoked", "withdrawn", "否",     "不",   "いいえ", "아니요",
});

/// What may follow a yes or a date without making it doubtful: how and when it was said. Whatever
/// else follows ("but", "unless", "widerrufen") is asked about.
constexpr auto kHowWords = std::to_array<std::string_view>({
    "by",
    "per",
    "via",
    "on",
    "in",
    "at",
    "of",
    "from",
    "the",
    "a",
    "i",
    "e",
    "mail",
    "email",
    "letter",
    "post",
    "phone",
    "call",
    "chat",
    "writing",
    "written",
    "person",
    "paper",
    "form",
    "signed",
    "sign",
    "consent",
    "given",
    "gave",
    "got",
    "has",
    "have",
    "agree",
    "agreed",
    "agrees",
    "granted",
    "confirmed",
    "contract",
    "file",
    "scan",
    "pdf",
    "see",
    "hr",
    "and",
    "ok",
    "okay",
    "yes",
    "slack",
    "teams",
    "meeting",
    "oral",
    "orally",
    "verbal",
    "verbally",
    "permission",
    // German
    "am",
    "vom",
    "von",
    "der",
    "die",
    "das",
    "den",
    "und",
    "brief",
    "telefon",
    "mündlich",
    "schriftlich",
    "unterschrieben",
    "formular",
    "papier",
    "einverstanden",
    "zugestimmt",
    "einwilligung",
    "erteilt",
    "liegt",
    "vor",
    "siehe",
    "mit",
    "unterschrift",
    "ja",
    // French, Spanish, Italian, Portuguese
    "par",
    "le",
    "du",
    "de",
    "courriel",
    "lettre",
    "écrit",
    "signé",
    "d",
    "accord",
    "por",
    "el",
    "correo",
    "carta",
    "escrito",
    "firmado",
    "acepto",
    "con",
    "il",
    "lettera",
    "firmato",
    "accetto",
    "em",
    "assinado",
    "aceito",
    // months
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
    "jan",
    "feb",
    "mar",
    "apr",
    "jun",
    "jul",
    "aug",
    "sep",
    "sept",
    "oct",
    "nov",
    "dec",
    "januar",
    "februar",
    "märz",
    "mai",
    "juni",
    "juli",
    "oktober",
    "dezember",
});

/// The words of a text, caseless: runs of letters and digits.
std::vector<std::string> split_words(const std::string& text) {
  std::vector<std::string> words;
  for (auto at = text.begin(); at != text.end();) {
    const auto begin = std::find_if(at, text.end(), is_word_character);
    at = std::find_if_not(begin, text.end(), is_word_character);
    if (begin != at) words.push_back(caseless_name(std::string(begin, at)));
  }
  return words;
}

bool is_among(std::span<const std::string_view> known, const std::string& word) {
  return std::any_of(known.begin(), known.end(),
                     [&](std::string_view one) { return caseless_name(one) == word; });
}

/// Removes the digits that a text begins with, and says how many there were.
std::size_t take_digits(std::string_view& text) {
  const std::size_t count = std::min(text.find_first_not_of("0123456789"), text.size());
  text.remove_prefix(count);
  return count;
}

/// Whether a day or a month has so many digits.
bool is_short(std::size_t digits) { return digits == 1 || digits == 2; }

/// Whether a text begins with a day as people write it: 2026-01-12, 12.1.2026, 1/12/26.
bool begins_with_date(const std::string& text) {
  std::string_view rest = text;
  const std::size_t first = take_digits(rest);
  const char separator = rest.empty() ? '\0' : rest.front();
  const bool year_first = first == 4 && separator == '-';
  const bool day_first =
      is_short(first) && std::string_view("./-").find(separator) != std::string_view::npos;
  if (!year_first && !day_first) return false;
  rest.remove_prefix(1);
  if (!is_short(take_digits(rest)) || !rest.starts_with(separator)) return false;
  rest.remove_prefix(1);
  const std::size_t last = take_digits(rest);
  if (year_first ? !is_short(last) : last != 2 && last != 4) return false;
  return rest.find_first_of(" \t\r\n\v\f,;:(") == 0 || rest.empty();
}

enum class Answer { kYes, kNo, kUnclear };

bool is_number(const std::string& word) {
  return std::all_of(word.begin(), word.end(), [](char c) { return c >= '0' && c <= '9'; });
}

Answer read_answer(const std::string& given) {
  const std::vector<std::string> words = split_words(given);
  if (words.empty()) return Answer::kNo;
  if (is_among(kNoWords, words.front())) return Answer::kNo;
  const bool is_yes = is_among(kYesWords, words.front()) || begins_with_date(given);
  const bool is_clear = given.find('?') == given.npos &&
                        std::all_of(words.begin() + 1, words.end(), [](const auto& word) {
                          return is_among(kHowWords, word) || is_number(word);
                        });
  return is_yes && is_clear ? Answer::kYes : Answer::kUnclear;
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

std::optional<Failure> why_refused(const Consent& consent, std::string_view today) {
  const std::string given = trim(consent.given);
  if (given.empty()) return Failure{ExitCode::kConfig, "no consent is recorded"};
  switch (read_answer(given)) {
    case Answer::kYes:
      break;
    case Answer::kNo:
      return Failure{ExitCode::kConfig,
                     "no consent is recorded: the roster says " + quote_text(given)};
    case Answer::kUnclear:
      return Failure{ExitCode::kData, "the consent " + quote_text(given) +
                                          " is no clear yes, so it counts as none; write yes, or "
                                          "the date on which it was given (2026-03-31)"};
  }
  // Dates of this form are in the order of their letters.
  if (!consent.until.empty() && consent.until < today) {
    return Failure{ExitCode::kConfig, "the consent ended on " + consent.until};
  }
  return std::nullopt;
}

}  // namespace sdx
