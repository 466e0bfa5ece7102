#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sdx/embedding/embedding_sizes.h"
#include "sdx/embedding/embedding_table.h"
#include "sdx/model/conditioning.h"
#include "sdx/model/text_encoders.h"
#include "sdx/prompt/grammar.h"
#include "sdx/tokenizer/tokenizer.h"

namespace sdx {

/// A position of a chunk that is not a token of the vocabulary but a vector of an embedding.
struct Splice {
  int position = 0;           ///< in the chunk, the begin token (if there is one) included
  std::size_t embedding = 0;  ///< its place in TokenizedPrompt::embeddings
  int row = 0;                ///< of its vectors
};

/// The positions that the text encoder sees at once: begin, up to SpecialTokens::capacity() tokens,
/// end, padding.
struct PromptChunk {
  std::vector<std::int64_t>
      ids;  ///< max_length of them; the padding id where a vector is spliced in
  std::vector<Splice> splices;
  std::vector<float> weights;  ///< of each position's output; empty if all are 1
  int token_count = 0;         ///< without begin, end and padding
};

struct TokenizedPrompt {
  std::string text;
  std::vector<std::string> embeddings;  ///< the names in the text, each once, in their order
  std::vector<PromptChunk> chunks;      ///< at least one
};

/// The names between `<` and `>` in a text, in order, each once, as they are written first. A name
/// that is not `known` has no blanks and no brackets; "<3" and "a < b > c" hold none. See
/// parse_text().
std::vector<std::string> placeholder_names(const std::string& text,
                                           const EmbeddingSizes& known = {});

/// The text with `< >` around every name of an embedding that stands in it as a word of its own,
/// longest names first, as AUTOMATIC1111 finds its embeddings. Names may have blanks, and either
/// form of their accents (canonical_name()).
std::string bracket_bare_names(const std::string& text, const EmbeddingTable& embeddings);

/// Tokenises a text with one meaning, such as a stage of a prompt, into chunks. Each `<Name>`
/// becomes the positions of its vectors, which are never split over two chunks. With
/// Grammar::kA1111 brackets weight, BREAK begins a chunk, and a chunk that overflows ends after a
/// comma if there is one among its last 20 tokens; with kPlain all of that is text. The vectors are
/// not needed for it.
/// @throws UsageError for a `<Name>` that `embeddings` doesn't hold, naming the nearest ones.
TokenizedPrompt tokenize_prompt(const PromptText& prompt, const Tokenizer& tokenizer,
                                const EmbeddingSizes& embeddings);

/// The same of a text that nobody has read yet, see parse_text().
TokenizedPrompt tokenize_prompt(const std::string& text, const Tokenizer& tokenizer,
                                const EmbeddingSizes& embeddings,
                                Grammar grammar = Grammar::kPlain);

/// A tokenized prompt and the vectors that go where its names stand.
struct SplicedPrompt {
  const TokenizedPrompt& prompt;
  std::vector<EmbeddingVectors> vectors;  ///< one for each of `prompt.embeddings`
};

/// Encodes chunks into the conditioning that the UNet takes. Prompts with fewer chunks than the
/// longest are filled up with empty ones. Weights multiply a chunk's output, of which the mean is
/// then made what it was before (as AUTOMATIC1111 does), for each text encoder by itself.
/// Differentiable in the vectors. Two prompts may mean different vectors by one name: those of
/// several trainings go through the text encoders together.
/// @param place of the image that is made or learnt from; only models with size ids use it.
/// @param skip_last_layers of the text encoders, see TextEncoder::encode.
/// @return a row for each prompt, of chunks × max_length positions.
Conditioning encode_prompts(const std::vector<SplicedPrompt>& prompts, const Tokenizer& tokenizer,
                            const TextEncoders& encoders, const ImagePlace& place,
                            int skip_last_layers = 0);

/// The same with the vectors of a table.
/// @throws DataError for an embedding of other widths than the encoders' (made for another model).
Conditioning encode_prompts(const std::vector<TokenizedPrompt>& prompts, const Tokenizer& tokenizer,
                            const EmbeddingTable& embeddings, const TextEncoders& encoders,
                            const ImagePlace& place, int skip_last_layers = 0);

}  // namespace sdx
