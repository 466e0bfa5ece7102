#include "sdx/prompt/prompt.h"

#include <ATen/ops/index_put.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>

#include <algorithm>
#include <optional>

#include "sdx/device/transfer.h"
#include "sdx/util/error.h"
#include "sdx/util/text.h"

namespace sdx {

namespace {

/// A stretch of a prompt: plain text, or the name of an embedding.
struct Segment {
  std::string text;
  bool is_placeholder;
};

bool is_name_character(char c) {
  return c != '<' && c != '>' && static_cast<unsigned char>(c) > ' ';
}

/// The length of the `<Name>` that begins at `start`, or 0.
std::size_t placeholder_length(const std::string& text, std::size_t start) {
  if (text[start] != '<') return 0;
  std::size_t end = start + 1;
  while (end < text.size() && is_name_character(text[end])) ++end;
  const bool closed = end < text.size() && text[end] == '>';
  return closed && end > start + 1 ? end + 1 - start : 0;
}

std::vector<Segment> split_segments(const std::string& text) {
  std::vector<Segment> segments;
  std::string plain;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = placeholder_length(text, i);
    if (length == 0) {
      plain += text[i++];
      continue;
    }
    if (!plain.empty()) segments.push_back({std::exchange(plain, {}), false});
    segments.push_back({text.substr(i + 1, length - 2), true});
    i += length;
  }
  if (!plain.empty()) segments.push_back({plain, false});
  return segments;
}

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

  void add_vectors(const std::string& name, int count) {
    if (count > capacity()) {
      throw DataError(placeholder(name) + " has " + std::to_string(count) + " vectors; at most " +
                      std::to_string(capacity()) + " fit into a chunk");
    }
    make_room(count);
    for (int row = 0; row < count; ++row) {
      splices_.push_back({token_count(), name, row});
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
      chunk.splices.push_back({position, splice.name, splice.row});
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
        splices.push_back({splice.position - start, splice.name, splice.row});
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

/// The weights of all chunks [N,L], or nothing if all are 1.
std::optional<at::Tensor> weights_of(const std::vector<const PromptChunk*>& chunks) {
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
  const auto mean_of = [](const at::Tensor& chunks) { return chunks.mean({1, 2}, true); };
  const at::Tensor scaled = encoded * to_device(weights, encoded.device()).unsqueeze(2);
  const at::Tensor is_plain = to_device((weights == 1).all(1), encoded.device()).view({-1, 1, 1});
  return at::where(is_plain, encoded, scaled * (mean_of(encoded) / mean_of(scaled)));
}

}  // namespace

std::vector<std::string> placeholder_names(const std::string& text) {
  std::vector<std::string> names;
  for (const Segment& segment : split_segments(text)) {
    const bool is_new = std::find(names.begin(), names.end(), segment.text) == names.end();
    if (segment.is_placeholder && is_new) names.push_back(segment.text);
  }
  return names;
}

std::string bracket_bare_names(const std::string& text, const EmbeddingTable& embeddings) {
  std::vector<std::string> names;
  for (const auto& [name, embedding] : embeddings.all()) names.push_back(name);
  std::stable_sort(names.begin(), names.end(),
                   [](const auto& a, const auto& b) { return a.size() > b.size(); });
  std::string result;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t bracketed = placeholder_length(text, i);
    const bool begins_word = i == 0 || !is_word_character(text[i - 1]);
    const auto named = std::find_if(names.begin(), names.end(), [&](const std::string& name) {
      const std::size_t end = i + name.size();
      return begins_word && text.compare(i, name.size(), name) == 0 &&
             (end == text.size() || !is_word_character(text[end]));
    });
    if (bracketed > 0 || named == names.end()) {
      const std::size_t length = std::max<std::size_t>(bracketed, 1);
      result += text.substr(i, length);
      i += length;
    } else {
      result += placeholder(*named);
      i += named->size();
    }
  }
  return result;
}

TokenizedPrompt tokenize_prompt(const std::string& text, const Tokenizer& tokenizer,
                                const EmbeddingTable& embeddings, Grammar grammar) {
  const bool seeks_commas = grammar == Grammar::kA1111;
  ChunkWriter writer(tokenizer.special_tokens(),
                     seeks_commas ? comma_ids(tokenizer) : std::vector<std::int64_t>{});
  for (const WeightedText& piece : parse_weights(text, grammar)) {
    if (piece.opens_chunk) writer.end_chunk();
    writer.set_weight(piece.weight);
    for (const Segment& segment : split_segments(piece.text)) {
      if (segment.is_placeholder) {
        const Embedding& embedding = embeddings.at(segment.text);
        writer.add_vectors(embedding.name, static_cast<int>(embedding.vectors.count()));
      } else {
        for (const std::int64_t id : tokenizer.encode(segment.text)) writer.add_token(id);
      }
    }
  }
  return {text, writer.finish()};
}

at::Tensor encode_prompts(const std::vector<TokenizedPrompt>& prompts, const Tokenizer& tokenizer,
                          const EmbeddingTable& embeddings, const TextEncoder& encoder,
                          int skip_last_layers) {
  std::size_t chunk_count = 1;
  for (const TokenizedPrompt& prompt : prompts) {
    chunk_count = std::max(chunk_count, prompt.chunks.size());
  }
  const PromptChunk empty = ChunkWriter(tokenizer.special_tokens()).finish().front();

  std::vector<const PromptChunk*> chunks;
  for (const TokenizedPrompt& prompt : prompts) {
    for (std::size_t i = 0; i < chunk_count; ++i) {
      chunks.push_back(i < prompt.chunks.size() ? &prompt.chunks[i] : &empty);
    }
  }

  std::vector<at::Tensor> chunk_ids;
  std::vector<at::Tensor> spliced_vectors;
  std::vector<std::int64_t> spliced_chunks;
  std::vector<std::int64_t> spliced_positions;
  for (const PromptChunk* chunk : chunks) {
    for (const Splice& splice : chunk->splices) {
      spliced_chunks.push_back(static_cast<std::int64_t>(chunk_ids.size()));
      spliced_positions.push_back(splice.position);
      spliced_vectors.push_back(embeddings.at(splice.name).vectors.only()[splice.row]);
    }
    chunk_ids.push_back(at::tensor(chunk->ids, at::kLong));
  }

  at::Tensor vectors = encoder.embed(at::stack(chunk_ids));
  if (!spliced_vectors.empty()) {
    for (const PromptChunk* chunk : chunks) {
      for (const Splice& splice : chunk->splices) {
        check_widths(embeddings.at(splice.name), {vectors.size(2)});
      }
    }
    vectors = at::index_put(vectors,
                            {to_device(at::tensor(spliced_chunks, at::kLong), vectors.device()),
                             to_device(at::tensor(spliced_positions, at::kLong), vectors.device())},
                            to_device(at::stack(spliced_vectors), vectors.device()));
  }
  at::Tensor encoded = encoder.encode(vectors, skip_last_layers);
  if (const auto weights = weights_of(chunks)) encoded = weighted(encoded, *weights);
  return encoded.reshape({static_cast<std::int64_t>(prompts.size()), -1, encoded.size(2)});
}

}  // namespace sdx
