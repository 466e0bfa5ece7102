#pragma once

#include <string>
#include <string_view>

namespace sdx {

/// Bytes as base64 (RFC 4648, with padding, in one line).
std::string to_base64(std::string_view bytes);

/// The bytes of a base64 text. The padding may be absent; what follows it is not read.
/// @throws DataError for a text that is not base64.
std::string from_base64(std::string_view text);

}  // namespace sdx
