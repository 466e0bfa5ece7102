#include "sdx/prompt/prompt.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/index_put.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>

#include <algorithm>

#include "sdx/util/error.h"

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

/// Fills chunk after chunk.
class ChunkWriter {
 public:
  explicit ChunkWriter(const SpecialTokens& tokens) : tokens_(tokens) { open_chunk(); }

  void add_token(std::int64_t id) {
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
      chunks_.back().splices.push_back({static_cast<int>(chunks_.back().ids.size()), name, row});
      put(tokens_.pad);
    }
  }

  std::vector<PromptChunk> finish() {
    close_chunk();
    return std::move(chunks_);
  }

 private:
  int capacity() const { return tokens_.capacity(); }

  void put(std::int64_t id) {
    chunks_.back().ids.push_back(id);
    ++chunks_.back().token_count;
  }

  void make_room(int count) {
    if (chunks_.back().token_count + count <= capacity()) return;
    close_chunk();
    open_chunk();
  }

  void open_chunk() {
    chunks_.emplace_back();
    if (tokens_.has_begin()) chunks_.back().ids.push_back(tokens_.begin);
  }

  void close_chunk() {
    std::vector<std::int64_t>& ids = chunks_.back().ids;
    if (tokens_.has_end()) ids.push_back(tokens_.end);
    ids.resize(static_cast<std::size_t>(tokens_.max_length), tokens_.pad);
  }

  SpecialTokens tokens_;
  std::vector<PromptChunk> chunks_;
};

}  // namespace

std::vector<std::string> placeholder_names(const std::string& text) {
  std::vector<std::string> names;
  for (const Segment& segment : split_segments(text)) {
    const bool is_new = std::find(names.begin(), names.end(), segment.text) == names.end();
    if (segment.is_placeholder && is_new) names.push_back(segment.text);
  }
  return names;
}

TokenizedPrompt tokenize_prompt(const std::string& text, const Tokenizer& tokenizer,
                                const EmbeddingTable& embeddings) {
  ChunkWriter writer(tokenizer.special_tokens());
  for (const Segment& segment : split_segments(text)) {
    if (segment.is_placeholder) {
      const Embedding& embedding = embeddings.at(segment.text);
      writer.add_vectors(embedding.name, static_cast<int>(embedding.vectors.size(0)));
    } else {
      for (const std::int64_t id : tokenizer.encode(segment.text)) writer.add_token(id);
    }
  }
  return {text, writer.finish()};
}

at::Tensor encode_prompts(const std::vector<TokenizedPrompt>& prompts, const Tokenizer& tokenizer,
                          const EmbeddingTable& embeddings, const TextEncoder& encoder) {
  std::size_t chunk_count = 1;
  for (const TokenizedPrompt& prompt : prompts) {
    chunk_count = std::max(chunk_count, prompt.chunks.size());
  }
  const PromptChunk empty = ChunkWriter(tokenizer.special_tokens()).finish().front();

  std::vector<at::Tensor> chunk_ids;
  std::vector<at::Tensor> spliced_vectors;
  std::vector<std::int64_t> spliced_chunks;
  std::vector<std::int64_t> spliced_positions;
  for (const TokenizedPrompt& prompt : prompts) {
    for (std::size_t i = 0; i < chunk_count; ++i) {
      const PromptChunk& chunk = i < prompt.chunks.size() ? prompt.chunks[i] : empty;
      for (const Splice& splice : chunk.splices) {
        spliced_chunks.push_back(static_cast<std::int64_t>(chunk_ids.size()));
        spliced_positions.push_back(splice.position);
        spliced_vectors.push_back(embeddings.at(splice.name).vectors[splice.row]);
      }
      chunk_ids.push_back(at::tensor(chunk.ids, at::kLong));
    }
  }

  at::Tensor vectors = encoder.embed(at::stack(chunk_ids));
  if (!spliced_vectors.empty()) {
    for (const TokenizedPrompt& prompt : prompts) {
      for (const PromptChunk& chunk : prompt.chunks) {
        for (const Splice& splice : chunk.splices) {
          check_width(embeddings.at(splice.name), vectors.size(2));
        }
      }
    }
    vectors = at::index_put(vectors,
                            {at::tensor(spliced_chunks, at::kLong).to(vectors.device()),
                             at::tensor(spliced_positions, at::kLong).to(vectors.device())},
                            at::stack(spliced_vectors).to(vectors.device()));
  }
  const at::Tensor encoded = encoder.encode(vectors);
  return encoded.reshape({static_cast<std::int64_t>(prompts.size()), -1, encoded.size(2)});
}

}  // namespace sdx
