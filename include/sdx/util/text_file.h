#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

namespace sdx {

/// The content of a text file as UTF-8: every file that is read as text is read here.
///
/// UTF-8 is read with and without a byte-order mark, UTF-16 (what Windows calls "Unicode") only
/// with its mark, which says the order of the bytes. Anything else is refused, because a text in a
/// wrong encoding would be drawn as if somebody had written it. Line ends stay as they are.
/// @throws as read_file; DataError for another encoding or for what is no text, naming the file,
///         the first line where it shows, and what the bytes look like ("Windows-1252").
std::string read_text_file(const std::filesystem::path& path,
                           std::size_t max_bytes = std::size_t{1} << 31);

/// The same without a look at what no mark introduces: for tables, whose reader names each damaged
/// row and takes the others.
/// @throws as read_text_file(), but for text without a mark, which is given as it is.
std::string read_marked_text_file(const std::filesystem::path& path);

/// Why bytes cannot be UTF-8 text, and what they look like: "not UTF-8 but Shift-JIS, by the look
/// of it"; empty if they are UTF-8.
/// @param bytes without a byte-order mark
std::string describe_encoding_fault(std::string_view bytes);

/// Refuses a text that is not UTF-8.
/// @param where what stands before the line's number in the message: a path, "stdin"
/// @param first_line the number of the first line of `bytes`
/// @throws DataError as read_text_file
void require_utf8(std::string_view bytes, const std::string& where, std::size_t first_line = 1);

}  // namespace sdx
