#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace sdx {

/// The longest name of an embedding. A file's name ends at 255 bytes, and ".safetensors", a number
/// or a seed come after it.
inline constexpr std::size_t kMaxNameBytes = 200;

/// Why `name` cannot be that of a new embedding, which stands between `<` and `>` in prompts and is
/// the name of its files: "is empty", "has a blank in it", "has a '(' in it, …"; nothing if it can.
/// Letters of every script are fine. A mark or a word that means something else in a prompt is
/// refused, and so is a character that nobody sees, because nobody could type the name again. The
/// fault names the character. Whether a model knows the word already, its tokenizer says
/// (Tokenizer::whole_word).
std::optional<std::string> name_fault(std::string_view name);

/// Why `name` cannot be part of a path: the weaker rule, for what was named before name_fault()
/// said all that it says today, and still has to be found and removed.
std::optional<std::string> file_name_fault(std::string_view name);

/// Whether a name that stands in a foreign file can be that of an embedding. Such a name need not
/// be one of a file, so blanks and separators of paths are allowed; "*" is no name but a habit.
bool is_usable_name(std::string_view name);

/// `name` in the one form in which names are compared and looked up. Accents are composed with
/// their letters, since a keyboard writes "é" as one character and a Mac's file system as two. Case
/// stays. A name that is not UTF-8 stays as it is.
/// Source: Unicode 15.0, normalization form C.
std::string canonical_name(std::string_view name);

/// Whether two names are one (canonical_name()).
bool is_same_name(std::string_view a, std::string_view b);

/// The length of the `name` that `text` begins with, in any of its forms; 0 if it begins otherwise.
/// @param name not empty
std::size_t find_name_length(std::string_view text, std::string_view name);

/// The entry of a folder that is called `file_name` in any of its forms; `folder / file_name` where
/// there is none, or no such folder.
/// @param file_name one component of a path
std::filesystem::path find_named_entry(const std::filesystem::path& folder,
                                       const std::string& file_name);

/// `name` as people and file systems read it: without case, accents composed, without characters
/// that nobody sees. Two names that become the same are taken for one another.
/// Source: Unicode 15.0, section 3.13, canonical caseless matching.
/// @param name UTF-8.
/// @throws DataError if it is not UTF-8.
std::string caseless_name(std::string_view name);

/// What people and programs put in place of `<` and `>`: full-width and pointed brackets, and
/// HTML's spelling. Texts in UTF-8.
struct BracketPair {
  std::string_view open;
  std::string_view close;
};

/// All that are known, none of them `<` and `>` themselves.
std::span<const BracketPair> look_alike_brackets();

}  // namespace sdx
