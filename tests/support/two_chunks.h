#pragma once

#include <string>

namespace sdx::test {

/// As in scripts/parity: long enough that the second <Ada> stands in the second chunk.
inline std::string two_chunk_prompt() {
  std::string text = "a photo of <Ada> ";
  for (int i = 0; i < 5; ++i) {
    text += "a photo of a person in the snow with red hair wearing a hat smiling ";
  }
  return text + "and <Ada> in the hat";
}

}  // namespace sdx::test
