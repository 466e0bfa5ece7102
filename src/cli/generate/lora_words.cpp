#include "cli/generate/lora_words.h"

#include <set>
#include <utility>

#include "sdx/cli/tool.h"
#include "sdx/embedding/lora_words.h"
#include "sdx/prompt/networks.h"

namespace sdx {

void add_words_of_loras(const LoraTable& loras, EmbeddingTable& embeddings) {
  for (const auto& lora : loras.list_read()) {
    if (!lora->has_words) continue;
    for (Embedding& word : read_lora_words(lora->file)) embeddings.add_distinct(std::move(word));
  }
}

void add_words_of_loras(const std::string& prompt, LoraTable& loras, EmbeddingTable& embeddings) {
  for (const NetworkTag& tag : list_networks(prompt)) {
    if (loras.contains(tag.name)) loras.at(tag.name);
  }
  add_words_of_loras(loras, embeddings);
}

void say_lora_misfits(const Bundle& bundle, const std::vector<ImageJob>& jobs) {
  std::set<const Lora*> seen;
  for (const ImageJob& job : jobs) {
    for (const AppliedLora& applied : job.request.settings.loras) {
      if (!seen.insert(applied.lora.get()).second) continue;
      const LoraFit fit = fit_lora(*applied.lora, bundle);
      for (const std::string& remark : describe_misfits(*applied.lora, fit, bundle.info().name)) {
        say(remark);
      }
    }
  }
}

}  // namespace sdx
