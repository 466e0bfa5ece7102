#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "sdx/image/image.h"

namespace sdx {

/// Writes an 8-bit RGB PNG, atomically, with text chunks by keyword: `tEXt` where the text is
/// Latin-1 and cannot be taken for UTF-8, else `iTXt` in UTF-8; XMP (keyword "XML:com.adobe.xmp")
/// always `iTXt`, as its standard demands. Texts are given in UTF-8; what is not UTF-8, and NUL,
/// becomes U+FFFD. The bytes depend on the arguments alone.
/// @throws CannotCreateError, PermissionError, IoError; InternalError if the picture is empty or a
///         keyword is not what PNG allows (1–79 printable ASCII letters).
void write_png(const std::filesystem::path& path, const Image& image,
               const std::map<std::string, std::string>& texts = {});

/// The text chunks of a PNG (`tEXt`, `zTXt`, `iTXt`), in UTF-8. Bytes that are valid UTF-8
/// beyond ASCII are taken as that in the first two, where Latin-1 belongs: several programs write
/// it.
/// @throws DataError if it is not a PNG or is damaged; MissingInputError, IoError.
std::map<std::string, std::string> read_png_texts(const std::filesystem::path& path);

}  // namespace sdx
