#pragma once

#include <string>

namespace sdx {

/// The number that a whole text is. What is too small to be told from 0 is 0.
/// @param text a sign, digits, a point, an exponent
/// @throws UsageError for a number beyond a double's range: nothing in a prompt is that large.
double parse_number(const std::string& text);

}  // namespace sdx
