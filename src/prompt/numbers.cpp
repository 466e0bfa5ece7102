#include "prompt/numbers.h"

#include <cmath>
#include <cstdlib>

#include "sdx/util/error.h"
#include "sdx/util/text.h"

namespace sdx {

double parse_number(const std::string& text) {
  const double value = std::strtod(text.c_str(), nullptr);
  if (std::isfinite(value)) return value;
  constexpr std::size_t kShownDigits = 20;
  const std::string shown = text.size() > kShownDigits ? text.substr(0, kShownDigits) + "…" : text;
  throw UsageError("the prompt has the number " + shown + " (" +
                   count_in_words(text.size(), "character", "characters") +
                   "), which is too large; expected one below 1e308");
}

}  // namespace sdx
