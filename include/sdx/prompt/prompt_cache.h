#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "sdx/prompt/grammar.h"

namespace sdx {

/// Prompts that were read already: checking, batching and guidance read the same ones, each as
/// often as there are passes. Not for several threads at once.
class PromptCache {
 public:
  /// The parts of a prompt for a pass, as parse_prompt() and ParsedPrompt::parts() give them.
  /// @throws as parse_prompt
  std::shared_ptr<const std::vector<PromptPart>> parts(const std::string& text, Grammar grammar,
                                                       PromptRole role, const PromptSteps& steps,
                                                       const EmbeddingSizes& known);
  /// The same where no embedding is known.
  std::shared_ptr<const std::vector<PromptPart>> parts(const std::string& text, Grammar grammar,
                                                       PromptRole role, const PromptSteps& steps);

  /// How many prompts have been parsed so far.
  std::size_t parsed() const { return parsed_; }

 private:
  struct Known {
    ParsedPrompt prompt;
    std::map<PromptSteps, std::shared_ptr<const std::vector<PromptPart>>> parts;
  };

  /// By the text, how it is read, and the known names in it.
  std::map<std::tuple<std::string, Grammar, PromptRole, std::map<std::string, int>>, Known> known_;
  std::size_t parsed_ = 0;
};

}  // namespace sdx
