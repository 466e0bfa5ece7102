#include "sdx/prompt/prompt.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/index_put.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>

#include <algorithm>
#include <iterator>
#include <optional>

#include "prompt/placeholders.h"
#include "sdx/device/transfer.h"
#include "sdx/util/error.h"
#include "sdx/util/name.h"
#include "sdx/util/text.h"

namespace sdx {

namespace {

constexpr int kCommaReach = 20;  ///< tokens within which an overflowing chunk looks for a comma

/// Fills chunk after chunk.
class ChunkWriter {
 public:
  /// @param commas ids after which an overflowing chunk may end; none: it is just full.
  explicit ChunkWriter(const SpecialTokens& tokens, std::vector<std::int64_t> commas = {})
      : tokens_(tokens), commas_(std::move(commas)) {}

  void set_weight(double weight) { weight_ = static_cast<float>(weight); }

  void add_token(std::int64_t id) {
    const bool is_comma = std::find(commas_.begin(), commas_.end(), id) != commas_.end();
    const int count = token_count();
    if (is_comma) {
      after_comma_ = count + 1;
    } else if (count == capacity() && after_comma_ > 0 && count + 1 - after_comma_ <= kCommaReach) {
      move_to_next_chunk(after_comma_);
    }
    make_room(1);
    put(id);
  }

  /// @param embedding see Splice
  void add_vectors(std::size_t embedding, const std::string& name, int count) {
    if (count > capacity()) {
      throw DataError(placeholder(name) + " has " + std::to_string(count) + " vectors; at most " +
                      std::to_string(capacity()) + " fit into a chunk");
    }
    make_room(count);
    for (int row = 0; row < count; ++row) {
      splices_.push_back({token_count(), embedding, row});
      put(tokens_.pad);
    }
  }

  /// Closes the chunk, even if nothing is in it.
  void end_chunk() {
    PromptChunk chunk;
    chunk.token_count = token_count();
    std::vector<float> weights;
    if (tokens_.has_begin()) {
      chunk.ids.push_back(tokens_.begin);
      weights.push_back(1);
    }
    for (const Splice& splice : splices_) {
      const int position = splice.position + static_cast<int>(chunk.ids.size());
      chunk.splices.push_back({position, splice.embedding, splice.row});
    }
    chunk.ids.insert(chunk.ids.end(), ids_.begin(), ids_.end());
    weights.insert(weights.end(), weights_.begin(), weights_.end());
    if (tokens_.has_end()) chunk.ids.push_back(tokens_.end);
    const auto length = static_cast<std::size_t>(tokens_.max_length);
    chunk.ids.resize(length, tokens_.pad);
    weights.resize(length, 1);
    const bool is_weighted =
        std::any_of(weights.begin(), weights.end(), [](float weight) { return weight != 1; });
    if (is_weighted) chunk.weights = std::move(weights);
    chunks_.push_back(std::move(chunk));
    ids_.clear();
    weights_.clear();
    splices_.clear();
    after_comma_ = 0;
  }

  std::vector<PromptChunk> finish() {
    if (token_count() > 0 || chunks_.empty()) end_chunk();
    return std::move(chunks_);
  }

 private:
  int capacity() const { return tokens_.capacity(); }
  int token_count() const { return static_cast<int>(ids_.size()); }

  void put(std::int64_t id) {
    ids_.push_back(id);
    weights_.push_back(weight_);
  }

  void make_room(int count) {
    if (token_count() + count > capacity()) end_chunk();
  }

  /// What begins at `start` goes into a chunk of its own.
  void move_to_next_chunk(int start) {
    const std::vector<std::int64_t> ids(ids_.begin() + start, ids_.end());
    const std::vector<float> weights(weights_.begin() + start, weights_.end());
    std::vector<Splice> splices;
    for (const Splice& splice : splices_) {
      if (splice.position >= start) {
        splices.push_back({splice.position - start, splice.embedding, splice.row});
      }
    }
    splices_.resize(splices_.size() - splices.size());
    ids_.resize(static_cast<std::size_t>(start));
    weights_.resize(static_cast<std::size_t>(start));
    end_chunk();
    ids_ = ids;
    weights_ = weights;
    splices_ = splices;
  }

  SpecialTokens tokens_;
  std::vector<std::int64_t> commas_;
  std::vector<PromptChunk> chunks_;
  float weight_ = 1;

  // The chunk that is being filled, without begin and end.
  std::vector<std::int64_t> ids_;
  std::vector<float> weights_;
  std::vector<Splice> splices_;
  int after_comma_ = 0;  ///< the position behind its last comma; 0: none
};

/// The ids of a comma, behind a word and alone.
std::vector<std::int64_t> comma_ids(const Tokenizer& tokenizer) {
  std::vector<std::int64_t> ids;
  for (const std::string_view text : {",", "a,"}) {
    const std::vector<std::int64_t> encoded = tokenizer.encode(text);
    if (!encoded.empty()) ids.push_back(encoded.back());
  }
  return ids;
}

/// The tokens of all chunks, where each ends, and what behind it is padding.
ChunkIds collect_ids(const std::vector<const PromptChunk*>& chunks, const SpecialTokens& tokens) {
  std::vector<at::Tensor> ids;
  std::vector<std::int64_t> ends;
  for (const PromptChunk* chunk : chunks) {
    ids.push_back(at::tensor(chunk->ids, at::kLong));
    const int written =
        (tokens.has_begin() ? 1 : 0) + chunk->token_count + (tokens.has_end() ? 1 : 0);
    ends.push_back(std::max(written - 1, 0));
  }
  const at::Tensor all_ends = at::tensor(ends, at::kLong);
  const at::Tensor positions = at::arange(tokens.max_length, at::kLong).unsqueeze(0);
  return {at::stack(ids), positions > all_ends.unsqueeze(1), all_ends};
}

/// The weights of all chunks [N,L], or nothing if all are 1.
std::optional<at::Tensor> collect_weights(const std::vector<const PromptChunk*>& chunks) {
  const bool is_weighted = std::any_of(chunks.begin(), chunks.end(),
                                       [](const PromptChunk* c) { return !c->weights.empty(); });
  if (!is_weighted) return std::nullopt;
  std::vector<at::Tensor> rows;
  for (const PromptChunk* chunk : chunks) {
    rows.push_back(chunk->weights.empty()
                       ? at::ones({static_cast<std::int64_t>(chunk->ids.size())}, at::kFloat)
                       : at::tensor(chunk->weights, at::kFloat));
  }
  return at::stack(rows);
}

/// @param encoded [N,L,W]
at::Tensor weighted(const at::Tensor& encoded, const at::Tensor& weights) {
  const auto compute_mean = [](const at::Tensor& chunks) { return chunks.mean({1, 2}, true); };
  const at::Tensor scaled = encoded * to_device(weights, encoded.device()).unsqueeze(2);
  const at::Tensor is_plain = to_device((weights == 1).all(1), encoded.device()).view({-1, 1, 1});
  return at::where(is_plain, encoded, scaled * (compute_mean(encoded) / compute_mean(scaled)));
}

/// Where a name, in any of its forms, is among others.
std::vector<std::string>::const_iterator find_same_name(const std::vector<std::string>& names,
                                                        const std::string& name) {
  return std::find_if(names.begin(), names.end(),
                      [&name](const std::string& other) { return is_same_name(other, name); });
}

}  // namespace

std::vector<std::string> placeholder_names(const std::string& text, const EmbeddingSizes& known) {
  std::vector<std::string> names;
  for (const Segment& segment : split_segments(text, known)) {
    if (segment.is_placeholder && find_same_name(names, segment.text) == names.end()) {
      names.push_back(segment.text);
    }
  }
  return names;
}

std::string bracket_bare_names(const std::string& text, const EmbeddingTable& embeddings) {
  std::vector<std::string> names;
  for (const auto& [name, embedding] : embeddings.all()) names.push_back(embedding.name);
  std::stable_sort(names.begin(), names.end(),
                   [](const auto& a, const auto& b) { return a.size() > b.size(); });
  // The length of the longest name that begins at `i` as a word of its own, or 0.
  const auto bare_length = [&](std::size_t i) -> std::size_t {
    if (i > 0 && is_word_character(text[i - 1])) return 0;
    for (const std::string& name : names) {
      const std::size_t length = find_name_length(std::string_view(text).substr(i), name);
      const bool ends = i + length == text.size() || !is_word_character(text[i + length]);
      if (length > 0 && ends) return length;
    }
    return 0;
  };
  std::string result;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t bracketed = find_placeholder(text, i, embeddings).length;
    const std::size_t bare = bracketed > 0 ? 0 : bare_length(i);
    const std::size_t length = std::max<std::size_t>(std::max(bracketed, bare), 1);
    result += bare > 0 ? placeholder(text.substr(i, length)) : text.substr(i, length);
    i += length;
  }
  return result;
}

TokenizedPrompt tokenize_prompt(const PromptText& prompt, const Tokenizer& tokenizer,
                                const EmbeddingSizes& embeddings) {
  const bool seeks_commas = prompt.grammar == Grammar::kA1111;
  ChunkWriter writer(tokenizer.special_tokens(),
                     seeks_commas ? comma_ids(tokenizer) : std::vector<std::int64_t>{});
  std::vector<std::string> names;
  for (const PromptSegment& segment : prompt.segments) {
    if (segment.opens_chunk) writer.end_chunk();
    writer.set_weight(segment.weight);
    if (segment.is_placeholder) {
      const int count = embeddings.vector_count(segment.text);
      const auto known = find_same_name(names, segment.text);
      const auto place = static_cast<std::size_t>(std::distance(names.cbegin(), known));
      if (known == names.end()) names.push_back(segment.text);
      writer.add_vectors(place, segment.text, count);
    } else if (!segment.text.empty()) {
      for (const std::int64_t id : tokenizer.encode(segment.text)) writer.add_token(id);
    }
  }
  return {prompt.text, std::move(names), writer.finish()};
}

TokenizedPrompt tokenize_prompt(const std::string& text, const Tokenizer& tokenizer,
                                const EmbeddingSizes& embeddings, Grammar grammar) {
  return tokenize_prompt(parse_text(text, grammar, embeddings), tokenizer, embeddings);
}

Conditioning encode_prompts(const std::vector<SplicedPrompt>& prompts, const Tokenizer& tokenizer,
                            const TextEncoders& encoders, const ImagePlace& place,
                            int skip_last_layers) {
  std::size_t chunk_count = 1;
  for (const SplicedPrompt& spliced : prompts) {
    chunk_count = std::max(chunk_count, spliced.prompt.chunks.size());
  }
  const PromptChunk empty = ChunkWriter(tokenizer.special_tokens()).finish().front();

  std::vector<const PromptChunk*> chunks;
  std::vector<std::vector<at::Tensor>> spliced_vectors(encoders.size());
  std::vector<std::int64_t> spliced_chunks;
  std::vector<std::int64_t> spliced_positions;
  for (const auto& [prompt, vectors] : prompts) {
    for (std::size_t i = 0; i < chunk_count; ++i) {
      const PromptChunk& chunk = i < prompt.chunks.size() ? prompt.chunks[i] : empty;
      for (const Splice& splice : chunk.splices) {
        spliced_chunks.push_back(static_cast<std::int64_t>(chunks.size()));
        spliced_positions.push_back(splice.position);
        for (std::size_t encoder = 0; encoder < encoders.size(); ++encoder) {
          spliced_vectors[encoder].push_back(
              vectors.at(splice.embedding).matrix(encoder)[splice.row]);
        }
      }
      chunks.push_back(&chunk);
    }
  }

  const ChunkIds ids = collect_ids(chunks, tokenizer.special_tokens());
  std::vector<at::Tensor> inputs = encoders.embed(ids);
  for (std::size_t encoder = 0; encoder < inputs.size() && !spliced_chunks.empty(); ++encoder) {
    const c10::Device device = inputs[encoder].device();
    inputs[encoder] = at::index_put(inputs[encoder],
                                    {to_device(at::tensor(spliced_chunks, at::kLong), device),
                                     to_device(at::tensor(spliced_positions, at::kLong), device)},
                                    to_device(at::stack(spliced_vectors[encoder]), device));
  }
  EncodedChunks encoded = encoders.encode(inputs, ids.ends, skip_last_layers);
  if (const auto weights = collect_weights(chunks)) {
    for (at::Tensor& output : encoded.outputs) output = weighted(output, *weights);
  }
  return encoders.join(encoded, static_cast<std::int64_t>(prompts.size()), place);
}

Conditioning encode_prompts(const std::vector<TokenizedPrompt>& prompts, const Tokenizer& tokenizer,
                            const EmbeddingTable& embeddings, const TextEncoders& encoders,
                            const ImagePlace& place, int skip_last_layers) {
  std::vector<SplicedPrompt> spliced;
  for (const TokenizedPrompt& prompt : prompts) {
    std::vector<EmbeddingVectors> vectors;
    for (const std::string& name : prompt.embeddings) {
      const Embedding& embedding = embeddings.at(name);
      check_widths(embedding, encoders.widths());
      vectors.push_back(embedding.vectors);
    }
    spliced.push_back({prompt, std::move(vectors)});
  }
  return encode_prompts(spliced, tokenizer, encoders, place, skip_last_layers);
}

}  // namespace sdx
