#pragma once

#include <cstdint>
#include <string>

namespace sdx {

/// A number for people: `digits` significant ones, without zeros at its end.
std::string short_number(double value, int digits = 3);

/// The same with as many digits behind the point: what stands in columns.
std::string fixed_number(double value, int decimals);

/// The shortest text that reads back as the same number: "7", "7.5".
std::string exact_number(double value);

/// "45 s", "3 min 12 s", "2 h 5 min". Below a minute with up to three significant digits.
/// @param seconds 0 or more.
std::string duration_text(double seconds);

/// "512 B", "1.2 kB", "3.4 GB": units of 1000.
std::string bytes_text(std::uint64_t bytes);

/// "512", "1.2 k", "3.4 M".
std::string count_text(std::uint64_t count);

}  // namespace sdx
