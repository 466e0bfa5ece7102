#pragma once

#include <string>
#include <string_view>

namespace sdx {

/// `text` so that it stands for itself in HTML, between tags and in quoted attributes.
std::string escape_html(std::string_view text);

}  // namespace sdx
