#include "model/import/few_steps.h"

#include <cctype>
#include <string_view>

#include "sdx/util/text.h"

namespace sdx {

namespace {

/// Whether a word stands in a text by itself, in any case: "turbocharged" has no "turbo".
bool has_word(const std::string& text, std::string_view word) {
  const std::string letters = lower_case(text);
  const auto is_letter = [&](std::size_t at) {
    return at < letters.size() && std::isalpha(static_cast<unsigned char>(letters[at])) != 0;
  };
  for (std::size_t at = letters.find(word); at != letters.npos; at = letters.find(word, at + 1)) {
    if ((at == 0 || !is_letter(at - 1)) && !is_letter(at + word.size())) return true;
  }
  return false;
}

}  // namespace

void recognise_few_steps(const std::map<std::string, std::string>& metadata,
                         ModelCheckpoint& checkpoint) {
  for (const char* key : {"modelspec.title", "modelspec.description"}) {
    const auto found = metadata.find(key);
    if (found == metadata.end()) continue;
    for (const std::string_view word : {"turbo", "lightning"}) {
      if (!has_word(found->second, word)) continue;
      checkpoint.noise_schedule.timestep_spacing = TimestepSpacing::kTrailing;
      checkpoint.guidance_scale = 1;
      checkpoint.remarks.push_back("A model of few steps by the file's metadata (" +
                                   std::string(key) + ": " + in_quotes(found->second) +
                                   "): trailing timesteps, no guidance. `preset-sampling` " +
                                   std::string(word) + " sets the sampler and `steps` for it.");
      return;
    }
  }
}

}  // namespace sdx
