#include "sdx/prompt/prompt.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/index_put.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <iterator>
#include <optional>

#include "prompt/placeholders.h"
#include "sdx/device/transfer.h"
#include "sdx/prompt/networks.h"
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

/// A place in the text of one text encoder.
struct Place {
  std::int64_t chunk;
  std::int64_t position;
};

/// What one text encoder reads where an embedding has no vectors for it: the text without the word.
/// What follows moves up, and padding fills the end. So does ComfyUI, which ignores vectors of
/// another width.
class LeftOut {
 public:
  LeftOut(const std::vector<Place>& places, const ChunkIds& ids) {
    const std::int64_t length = ids.ids.size(1);
    is_left_out_ = at::zeros(ids.ids.sizes(), at::kBool);
    for (const Place& place : places) is_left_out_[place.chunk][place.position] = true;
    // The places that stay, in order; L for the padding that is put behind them.
    const at::Tensor places_of_row = at::arange(length, at::kLong).expand(ids.ids.sizes());
    order_ = std::get<0>(places_of_row.masked_fill(is_left_out_, length).sort(1));
    before_end_ = (is_left_out_ & (places_of_row < ids.ends.unsqueeze(1))).sum(1);
  }

  /// @param rows [N,L,W]  @param padding [W]
  at::Tensor remove_from(const at::Tensor& rows, const at::Tensor& padding) const {
    const at::Tensor with_padding =
        at::cat({rows, padding.view({1, 1, -1}).expand({rows.size(0), 1, -1})}, 1);
    const at::Tensor index = to_device(order_, rows.device()).unsqueeze(2);
    return with_padding.gather(1, index.expand({-1, -1, rows.size(2)}));
  }

  /// @param weights [N,L]
  at::Tensor remove_from_weights(const at::Tensor& weights) const {
    return at::cat({weights, at::ones({weights.size(0), 1})}, 1).gather(1, order_);
  }

  /// @param ends [N]
  at::Tensor shift(const at::Tensor& ends) const { return ends - before_end_; }

 private:
  at::Tensor is_left_out_;  ///< [N,L]
  at::Tensor order_;        ///< [N,L]
  at::Tensor before_end_;   ///< [N]
};

/// What a text encoder sees behind the end of a text, [W].
at::Tensor padding_vector(const TextEncoder& encoder, const SpecialTokens& tokens) {
  const std::int64_t pad = encoder.info().pad.value_or(tokens.pad);
  return encoder.embed(at::full({1, 1}, pad, at::kLong)).view({-1});
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
    const std::size_t bracketed =
        std::max(find_placeholder(text, i, embeddings).length, find_network_length(text, i));
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
  struct Spliced {
    std::vector<at::Tensor> vectors = {};
    std::vector<std::int64_t> chunks = {};
    std::vector<std::int64_t> positions = {};
    std::vector<Place> left_out = {};  ///< places of words that have no vectors for the encoder
  };
  std::vector<Spliced> spliced_of(encoders.size());
  for (const auto& [prompt, vectors] : prompts) {
    for (std::size_t i = 0; i < chunk_count; ++i) {
      const PromptChunk& chunk = i < prompt.chunks.size() ? prompt.chunks[i] : empty;
      for (const Splice& splice : chunk.splices) {
        const auto place_of_chunk = static_cast<std::int64_t>(chunks.size());
        for (std::size_t encoder = 0; encoder < encoders.size(); ++encoder) {
          Spliced& spliced = spliced_of[encoder];
          const EmbeddingVectors& word = vectors.at(splice.embedding);
          if (!word.reaches(encoder)) {
            spliced.left_out.push_back({place_of_chunk, splice.position});
            continue;
          }
          spliced.chunks.push_back(place_of_chunk);
          spliced.positions.push_back(splice.position);
          spliced.vectors.push_back(word.matrix(encoder)[splice.row]);
        }
      }
      chunks.push_back(&chunk);
    }
  }

  const ChunkIds ids = collect_ids(chunks, tokenizer.special_tokens());
  std::vector<at::Tensor> inputs = encoders.embed(ids);
  std::vector<std::optional<LeftOut>> left_out(encoders.size());
  at::Tensor ends = ids.ends;  // as the encoder with a pooled vector reads them
  for (std::size_t encoder = 0; encoder < inputs.size(); ++encoder) {
    const Spliced& spliced = spliced_of[encoder];
    at::Tensor& input = inputs[encoder];
    const c10::Device device = input.device();
    if (!spliced.vectors.empty()) {
      input = at::index_put(input,
                            {to_device(at::tensor(spliced.chunks, at::kLong), device),
                             to_device(at::tensor(spliced.positions, at::kLong), device)},
                            to_device(at::stack(spliced.vectors), device));
    }
    if (spliced.left_out.empty()) continue;
    left_out[encoder].emplace(spliced.left_out, ids);
    input = left_out[encoder]->remove_from(
        input, padding_vector(encoders[encoder], tokenizer.special_tokens()));
    if (encoders[encoder].has_pooled()) ends = left_out[encoder]->shift(ids.ends);
  }
  EncodedChunks encoded = encoders.encode(inputs, ends, skip_last_layers);
  if (const auto weights = collect_weights(chunks)) {
    for (std::size_t encoder = 0; encoder < encoders.size(); ++encoder) {
      at::Tensor& output = encoded.outputs[encoder];
      output = weighted(
          output, left_out[encoder] ? left_out[encoder]->remove_from_weights(*weights) : *weights);
    }
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
