#include "sdx/util/units.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

namespace sdx {

namespace {

/// With one decimal, but for the smallest unit.
std::string with_unit(std::uint64_t count, const std::array<const char*, 4>& units) {
  constexpr double kStep = 1000;
  auto value = static_cast<double>(count);
  std::size_t unit = 0;
  while (value >= kStep && unit + 1 < units.size()) {
    value /= kStep;
    ++unit;
  }
  return fixed_number(value, unit == 0 ? 0 : 1) + units[unit];
}

}  // namespace

std::string short_number(double value, int digits) {
  char text[32];
  std::snprintf(text, sizeof text, "%.*g", digits, value);
  return text;
}

std::string fixed_number(double value, int decimals) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return text;
}

std::string exact_number(double value) {
  std::array<char, 32> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  return {digits.data(), end};
}

std::string duration_text(double seconds) {
  const auto whole = std::llround(seconds);
  if (whole < 60) return short_number(seconds, seconds < 10 ? 2 : 3) + " s";
  const auto minutes = whole / 60;
  if (minutes < 60) return std::to_string(minutes) + " min " + std::to_string(whole % 60) + " s";
  return std::to_string(minutes / 60) + " h " + std::to_string(minutes % 60) + " min";
}

std::string bytes_text(std::uint64_t bytes) {
  return with_unit(bytes, {" B", " kB", " MB", " GB"});
}

std::string count_text(std::uint64_t count) { return with_unit(count, {"", " k", " M", " G"}); }

}  // namespace sdx
