#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sdx/util/failure.h"

namespace sdx {

/// The consent of a person, as a roster says it.
struct Consent {
  std::string given;  ///< "yes", "2026-01-12 by e-mail"; empty: nothing is recorded
  std::string until;  ///< the last day, YYYY-MM-DD; empty: without end
};

/// Whether `text` is a day of the calendar as ISO 8601 writes it: 2027-03-31.
bool is_date(std::string_view text);

/// The date where this process runs (local time), YYYY-MM-DD.
std::string today();

/// The reason why a person's images must not be used; nothing if they may.
/// Anything but a clear yes is a no. A clear yes begins with a date, or with a yes in the language
/// of an office program ("yes", "ja", "TRUE", "WAHR", "1", "x", "✓"). It has no word that takes it
/// back ("not", "nicht", "pas", …). The day `until` still counts.
/// @param consent of a Member: `until` is empty or a date (is_date).
/// @param today   YYYY-MM-DD
/// @return kConfig for no consent ("no", "withdrawn", "-", nothing) or one that has ended; kData
/// for
///         a text that is neither a clear yes nor a clear no, with what to write.
std::optional<Failure> why_refused(const Consent& consent, std::string_view today);

}  // namespace sdx
