#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "sdx/embedding/embedding_table.h"
#include "sdx/model/text_encoder.h"
#include "sdx/tokenizer/tokenizer.h"

namespace sdx {

/// A position of a chunk that is not a token of the vocabulary but a vector of an embedding.
struct Splice {
  int position = 0;  ///< in the chunk, the begin token (if there is one) included
  std::string name;  ///< of the embedding
  int row = 0;       ///< of its vectors
};

/// What the text encoder sees at once: begin, up to SpecialTokens::capacity() tokens, end, padding.
struct PromptChunk {
  std::vector<std::int64_t>
      ids;  ///< max_length of them; the padding id where a vector is spliced in
  std::vector<Splice> splices;
  int token_count = 0;  ///< without begin, end and padding
};

struct TokenizedPrompt {
  std::string text;
  std::vector<PromptChunk> chunks;  ///< at least one
};

/// The names between `<` and `>` in a text, in order, each once. A name has no blanks and no
/// brackets; "<3" and "a < b > c" hold none.
std::vector<std::string> placeholder_names(const std::string& text);

/// Text → chunks. Each `<Name>` becomes the positions of its vectors, which are never split over
/// two chunks; everything else, brackets and all, is plain text.
/// @throws UsageError for a `<Name>` that `embeddings` doesn't hold, naming the nearest ones.
TokenizedPrompt tokenize_prompt(const std::string& text, const Tokenizer& tokenizer,
                                const EmbeddingTable& embeddings);

/// Chunks → what the UNet attends to. Prompts with fewer chunks than the longest are filled up with
/// empty ones. Differentiable in the embeddings' vectors.
/// @return [B,S,W] float32, S = chunks × max_length.
/// @throws DataError for an embedding of another width than the encoder's (made for another model).
at::Tensor encode_prompts(const std::vector<TokenizedPrompt>& prompts, const Tokenizer& tokenizer,
                          const EmbeddingTable& embeddings, const TextEncoder& encoder);

}  // namespace sdx
