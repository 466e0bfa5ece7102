#include "sdx/generation/words.h"

#include "sdx/prompt/prompt.h"

namespace sdx {

std::vector<std::string> words_of(const ImageRequest& request) {
  return placeholder_names(request.prompt + "\n" + request.negative_prompt);
}

std::string missing_word(const ImageRequest& request, const EmbeddingSizes& words) {
  for (const std::string& name : words_of(request)) {
    if (!words.contains(name)) return name;
  }
  return "";
}

}  // namespace sdx
