#pragma once

#include "sdx/generation/infotext_format.h"
#include "sdx/util/json.h"

namespace sdx {

/// As a JSON object: `prompt`, `negative_prompt`, and `settings`, an object of strings (the first
/// of two with one key). What is not UTF-8 becomes U+FFFD.
Json to_json(const Infotext& infotext);

}  // namespace sdx
