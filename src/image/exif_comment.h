#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace sdx {

// The EXIF UserComment, in which JPEG and WebP hold how a picture was made. libexif cannot serve
// here: it reads 64 kB at most and keeps silent about damaged data.
// Source: CIPA DC-008 (Exif 2.32), 4.6.

/// EXIF data (a TIFF block) with nothing but this comment, in UTF-16. `text` is valid UTF-8.
std::string exif_comment_block(std::string_view text);

/// The comment in EXIF data, with or without the prefix "Exif", in UTF-8; nothing if there is none,
/// it is blank, or it is in a code that nobody uses for this (JIS).
/// @throws DataError if the data are not EXIF or point beyond their end.
std::optional<std::string> exif_comment(std::string_view block);

/// The comment as "parameters", and what ComfyUI's programs write into the entries Make and Model,
/// "prompt:…" and "workflow:…", by these keywords.
/// @throws as exif_comment
std::map<std::string, std::string> exif_texts(std::string_view block);

}  // namespace sdx
