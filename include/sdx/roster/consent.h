#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sdx {

/// What a person allowed, as a roster says it.
struct Consent {
  std::string given;  ///< "yes", "2026-01-12 by e-mail"; empty: nothing is recorded
  std::string until;  ///< the last day, YYYY-MM-DD; empty: without end
};

/// Whether `text` is a day of the calendar as ISO 8601 writes it: 2027-03-31.
bool is_date(std::string_view text);

/// The date where this process runs (local time), YYYY-MM-DD.
std::string today();

/// Why nothing may be made of a person's pictures, for the person's row of the summary: "no consent
/// is recorded", "the consent ended on 2026-03-31"; nothing if it may. A text whose first word
/// means no in any case ("no", "N", "false", "0", "refused", "withdrawn 2026-05-01", "not yet") or
/// that has none ("-", "?") is no consent; every other text is. The day `until` still counts.
/// @param consent of a Member: `until` is empty or a date (is_date).
/// @param today   YYYY-MM-DD
std::optional<std::string> why_refused(const Consent& consent, std::string_view today);

}  // namespace sdx
