#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace sdx {

/// The IPTC's word for pictures that a model has made; viewers and platforms label them by it.
/// Source: IPTC Photo Metadata Standard, NewsCodes "Digital Source Type".
inline constexpr std::string_view kTrainedAlgorithmicMedia =
    "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia";

/// The metadata that is written beside a picture's pixels. Nothing else is in the file: no time, no
/// path, nothing about the machine or its user.
struct ImageMetadata {
  std::string parameters;    ///< how it was made (generation/infotext.h), in UTF-8; empty: nothing
  bool ai_generated = true;  ///< declare it in XMP: DigitalSourceType = kTrainedAlgorithmicMedia
};

/// The keyword under which most programs, ours among them, write how an image was made.
inline constexpr const char* kParametersKeyword = "parameters";

/// All texts in an image, by their keywords. Those of a PNG are its text chunks: ComfyUI's "prompt"
/// and "workflow", InvokeAI's "invokeai_metadata", NovelAI's "Comment" … The EXIF UserComment of a
/// JPEG or WebP is "parameters"; ComfyUI's texts in other EXIF entries are "prompt" and "workflow".
/// @return UTF-8; nothing for an image without any.
/// @throws as read_parameters
std::map<std::string, std::string> read_image_texts(const std::filesystem::path& path);

/// Whether a PNG hides a text in the lowest bits of its transparency, as NovelAI's do and those of
/// the extension "stealth pnginfo". What it says is not read.
/// @throws as decode_image
bool hides_text(const std::filesystem::path& path);

/// How a picture was made, in the words of the program that did: the text "parameters" of a PNG,
/// the EXIF UserComment of a JPEG or WebP. What the file is counts, whatever its name says. UTF-16
/// of either byte order and plain UserComments are read.
/// @return UTF-8, or nothing if the picture has no such text or an empty one.
/// @throws DataError with the path if it is no picture, is damaged (a truncated file, EXIF data
///         that point beyond their end), or PermissionError, MissingInputError, IoError.
std::optional<std::string> read_parameters(const std::filesystem::path& path);

}  // namespace sdx
