#pragma once

#include <string>
#include <vector>

#include "sdx/embedding/embedding_table.h"
#include "sdx/prompt/grammar.h"

namespace sdx {

/// The largest weight that gets no remark, for a part of a prompt and for words in brackets. Nearly
/// all prompts that people share stay within 2.
inline constexpr double kMostUsualWeight = 3;

/// Remarks for the writer of a prompt, a sentence each; usually none. They do not change how the
/// prompt is read.
///
///  - A name that is written as other tools want it reads as plain text: "embedding:Ada",
///    "< Ada >", "＜Ada＞", "&lt;Ada&gt;". So does a name with blanks that no embedding has.
///  - A LoRA stands in the negative prompt, where it does nothing.
///  - A weight is beyond kMostUsualWeight: "at 10:30" is the weight 30.
std::vector<std::string> list_prompt_remarks(const std::string& text, Grammar grammar,
                                             PromptRole role, const EmbeddingTable& embeddings);

/// Lists the words of a prompt that a model has never read. Each comes once, in lower case, in the
/// order of the stages. Names of embeddings and numbers are no words.
/// @param known_words BundleInfo::known_words; where it is empty, nothing is unknown
std::vector<std::string> list_unknown_words(const std::string& text, Grammar grammar,
                                            const EmbeddingTable& embeddings,
                                            const std::vector<std::string>& known_words);

}  // namespace sdx
