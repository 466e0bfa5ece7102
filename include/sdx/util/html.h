#pragma once

#include <string>
#include <string_view>

namespace sdx {

/// `text` so that it stands for itself in HTML, between tags and in quoted attributes.
std::string escape_html(std::string_view text);

/// RFC 4648 with padding.
std::string base64(std::string_view bytes);

/// A number for people: `digits` significant ones, without zeros at its end.
std::string short_number(double value, int digits = 3);

/// The same with as many digits behind the point: what stands in columns.
std::string fixed_number(double value, int decimals);

}  // namespace sdx
