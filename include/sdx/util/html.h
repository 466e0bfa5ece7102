#pragma once

#include <string>
#include <string_view>

namespace sdx {

/// `text` so that it stands for itself in HTML, between tags and in quoted attributes.
std::string escape_html(std::string_view text);

/// RFC 4648 with padding.
std::string base64(std::string_view bytes);

}  // namespace sdx
