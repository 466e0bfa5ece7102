#include "sdx/prompt/prompt_cache.h"

#include <utility>

#include "prompt/placeholders.h"
#include "sdx/embedding/embedding_sizes.h"

namespace sdx {

namespace {

/// More than that are forgotten: a file may hold any number of prompts.
constexpr std::size_t kMostPrompts = 4096;

}  // namespace

std::shared_ptr<const std::vector<PromptPart>> PromptCache::parts(const std::string& text,
                                                                  Grammar grammar, PromptRole role,
                                                                  const PromptSteps& steps,
                                                                  const EmbeddingSizes& known) {
  auto key = std::make_tuple(text, grammar, role, list_known_names(text, known));
  auto found = known_.find(key);
  if (found == known_.end()) {
    if (known_.size() >= kMostPrompts) known_.clear();
    ++parsed_;
    found =
        known_.emplace(std::move(key), Known{parse_prompt(text, grammar, role, known), {}}).first;
  }
  auto& parts = found->second.parts[steps];
  if (!parts) {
    parts = std::make_shared<const std::vector<PromptPart>>(found->second.prompt.parts(steps));
  }
  return parts;
}

std::shared_ptr<const std::vector<PromptPart>> PromptCache::parts(const std::string& text,
                                                                  Grammar grammar, PromptRole role,
                                                                  const PromptSteps& steps) {
  return parts(text, grammar, role, steps, {});
}

}  // namespace sdx
