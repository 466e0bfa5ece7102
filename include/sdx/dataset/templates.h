#pragma once

#include <string>
#include <vector>

namespace sdx {

/// The sentences that a person is learnt in, each with `{name}` in it: "a rendering of {name}".
/// Read from `templates/person.txt` in the toolkit's data folder.
/// @throws MissingInputError; DataError for a line without `{name}`.
std::vector<std::string> person_templates();

}  // namespace sdx
