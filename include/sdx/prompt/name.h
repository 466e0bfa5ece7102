#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sdx {

/// Why `name` cannot be that of a new word, which stands between `<` and `>` in prompts and is the
/// name of its files: "is empty", "has a blank in it", … ; nothing if it can. Letters of every
/// script are fine. Whether the word is new to a model, its tokenizer knows
/// (Tokenizer::whole_word).
std::optional<std::string> name_fault(std::string_view name);

/// `name` as people and file systems read it: without case, accents composed, without characters
/// that nobody sees. Two names that become the same are taken for one another.
/// Source: Unicode 15.0, section 3.13, canonical caseless matching.
/// @param name UTF-8.
/// @throws DataError if it is not UTF-8.
std::string caseless_name(std::string_view name);

}  // namespace sdx
