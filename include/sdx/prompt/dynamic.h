#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sdx/prompt/wildcards.h"

namespace sdx {

// Dynamic prompts: one text that stands for many, in the form that the extension "Dynamic Prompts"
// made common.
//
//   {red|green|blue} hat       one of them; a choice may be empty: {old |}
//   {0.5::red|2::green}        weights, 1 where there is none; they matter for chance only
//   {2$$red|green|blue}        two different ones in any order, joined by ","
//   {1-3$$ and $$a|b|c}        one to three, joined by " and "; {-2$$…} is 1 to 2, {2-$$…} 2 to all
//   __hats/winter__            one line of a wildcard file; __hats/*__ of all that fit
//   {2$$__hats/winter__}       two of its lines
//
// All of it may stand inside choices and inside the lines of wildcard files, up to 100 levels deep.
// Blanks before a choice are left out, those behind it stay.
//
// What does not parse is literal, as in the rest of the prompt grammar: an unclosed brace, a stray
// `}` or `|`, and braces with neither `|` nor `$$`, such as the field {name}. `\{`, `\}`, `\|` and
// `\_` are the plain letters; every other backslash stays as it is.
//
// All functions throw MissingInputError for a wildcard without a file, naming the nearest;
// DataError for a wildcard file without lines, or for files that contain each other in a circle;
// UsageError for choices that are nested too deep or grow beyond a megabyte.

/// The text with every choice made by chance. The same text, wildcards and seed give the same
/// result on every machine.
std::string expand_random(const std::string& text, const Wildcards& wildcards, std::uint64_t seed);

/// How many texts all_combinations gives without a limit; the largest number if there are more.
/// Options are told apart by their place, not by their words: {a|a} counts 2.
std::uint64_t count_combinations(const std::string& text, const Wildcards& wildcards);

/// Every text that the dynamic one stands for. Choices further left change slowest; the options of
/// one come as they are written, the lines of wildcard files as in the file, files by name; for
/// {1-2$$a|b}: a, b, then "a,b", "b,a".
/// @throws UsageError if there are more than `limit`.
std::vector<std::string> all_combinations(const std::string& text, const Wildcards& wildcards,
                                          std::uint64_t limit);

}  // namespace sdx
