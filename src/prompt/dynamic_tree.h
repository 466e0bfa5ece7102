#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sdx/prompt/wildcards.h"

namespace sdx {

struct Choice;

/// Literal text and the choice behind it, if there is one.
struct Piece {
  std::string text;
  std::shared_ptr<const Choice> choice;  ///< a wildcard's is shared by all its uses
};

using Phrase = std::vector<Piece>;

struct Option {
  double weight = 1;  ///< ≥ 0
  Phrase phrase;
};

/// `least` to `most` different ones of the options in any order, with `separator` between them.
struct Choice {
  std::vector<Option> options;  ///< at least one
  std::size_t least = 1;
  std::size_t most = 1;  ///< at most all of them
  std::string separator = ",";
  bool is_wildcard = false;
  std::uint64_t combinations = 0;  ///< see count_combinations
};

/// The grammar of dynamic.h as a tree, wildcards filled in.
/// @throws as the functions there.
Phrase parse_dynamic(const std::string& text, const Wildcards& wildcards);

/// How many texts it stands for; the largest number if there are more.
std::uint64_t multiply_combinations(const Phrase& phrase);

}  // namespace sdx
