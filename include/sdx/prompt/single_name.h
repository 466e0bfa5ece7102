#pragma once

#include <string>
#include <vector>

#include "sdx/embedding/embedding_sizes.h"

namespace sdx {

/// The prompt of one of several people in a picture: "<Ada> and <Ben> in the snow" becomes "<Ben>
/// in the snow" for Ben.
///
/// Of names in a row ("<Ada>, <Ben> and <Cleo>", "<Ada> with <Ben>") those of the others are left
/// out. Where only others stand, `kept` takes their place: "(<Ada>:1.2) beside a robot, <Ben>"
/// becomes "(<Ben>:1.2) beside a robot, <Ben>". So brackets, edits and weights stay what they are.
/// @param kept   one of the names
/// @param others names that are replaced; further names of the text stay
/// @param known  as in placeholder_names()
std::string keep_one_name(const std::string& text, const std::string& kept,
                          const std::vector<std::string>& others, const EmbeddingSizes& known = {});

}  // namespace sdx
