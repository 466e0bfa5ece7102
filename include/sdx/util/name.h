#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace sdx {

/// The longest name of an embedding. A file's name ends at 255 bytes, and ".safetensors", a number
/// or a seed come after it.
inline constexpr std::size_t kMaxNameBytes = 200;

/// Why `name` cannot be that of a new embedding, which stands between `<` and `>` in prompts and is
/// the name of its files: "is empty", "has a blank in it", … ; nothing if it can. Letters of every
/// script are fine. Whether a model knows the word already, its tokenizer says
/// (Tokenizer::whole_word).
std::optional<std::string> name_fault(std::string_view name);

/// Whether a name that stands in a foreign file can be that of an embedding. Such a name need not
/// be one of a file, so blanks and separators of paths are allowed; "*" is no name but a habit.
bool is_usable_name(std::string_view name);

/// `name` as people and file systems read it: without case, accents composed, without characters
/// that nobody sees. Two names that become the same are taken for one another.
/// Source: Unicode 15.0, section 3.13, canonical caseless matching.
/// @param name UTF-8.
/// @throws DataError if it is not UTF-8.
std::string caseless_name(std::string_view name);

}  // namespace sdx
