#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace sdx {

/// The IPTC's word for pictures that a model has made; viewers and platforms label them by it.
/// Source: IPTC Photo Metadata Standard, NewsCodes "Digital Source Type".
inline constexpr std::string_view kTrainedAlgorithmicMedia =
    "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia";

/// What is written into a picture beside its pixels. There is nothing else in the file: no time, no
/// path, nothing about the machine or its user.
struct ImageMetadata {
  std::string parameters;    ///< how it was made (generation/infotext.h), in UTF-8; empty: nothing
  bool ai_generated = true;  ///< declare it in XMP: DigitalSourceType = kTrainedAlgorithmicMedia
};

/// How a picture was made, in the words of the program that did: the text "parameters" of a PNG,
/// the EXIF UserComment of a JPEG or WebP. What the file is counts, whatever its name says. UTF-16
/// of either byte order and plain UserComments are read.
/// @return UTF-8, or nothing if the picture has no such text or an empty one.
/// @throws DataError with the path if it is no picture, is damaged (a truncated file, EXIF data
///         that point beyond their end), or PermissionError, MissingInputError, IoError.
std::optional<std::string> read_parameters(const std::filesystem::path& path);

}  // namespace sdx
