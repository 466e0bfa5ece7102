#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "sdx/model/bundle.h"
#include "sdx/model/conditioning.h"
#include "sdx/model/text_encoder.h"

namespace sdx {

/// Token ids of N chunks of prompts. A chunk is what an encoder sees at once: begin, tokens, end,
/// padding; L positions.
struct ChunkIds {
  at::Tensor ids;         ///< [N,L] int64, with the tokenizer's own padding id
  at::Tensor is_padding;  ///< [N,L] bool, the positions behind the end
  at::Tensor ends;        ///< [N] int64, the position of the end
};

/// The output of all text encoders for N chunks, each encoded by itself.
struct EncodedChunks {
  std::vector<at::Tensor> outputs;  ///< of each encoder, [N,L,W] float32
  at::Tensor pooled;                ///< [N,P] float32; undefined if no encoder gives one
};

/// All text encoders of a model: one (Stable Diffusion 1 and 2) or two (SDXL). They share the
/// tokenizer, each has its own table, width and padding. From token ids to Conditioning it is three
/// steps, between which an embedding's vectors are put in and a prompt's weights are applied:
///
///     std::vector<at::Tensor> embedded = encoders.embed(chunks);     // splice vectors in here
///     EncodedChunks encoded = encoders.encode(embedded, chunks.ends);  // apply weights here
///     Conditioning conditioning = encoders.join(encoded, prompts, place);
///
/// encode_prompts() in sdx/prompt/prompt.h takes them all.
class TextEncoders {
 public:
  /// @throws as TextEncoder.
  TextEncoders(const Bundle& bundle, c10::Device device);

  /// Loads the weights anew with these LoRAs added to them; encoders that none reaches stay.
  /// @throws as TextEncoder::reload.
  void reload(const Bundle& bundle, const AppliedLoras& loras);

  std::size_t size() const { return encoders_.size(); }
  const TextEncoder& operator[](std::size_t index) const { return encoders_[index]; }
  const TextEncoder& front() const { return encoders_.front(); }
  auto begin() const { return encoders_.begin(); }
  auto end() const { return encoders_.end(); }

  /// W of each.
  std::vector<std::int64_t> widths() const;
  /// L, positions of a chunk.
  std::int64_t positions() const { return positions_; }
  /// Whether the conditioning depends on the image's size.
  bool has_size_ids() const { return has_size_ids_; }
  /// BundleInfo::zero_empty_negative.
  bool zeroes_empty_negative() const { return zeroes_empty_negative_; }

  /// A chunk of the token 0 alone, N times: as good as any other for measuring time and memory.
  ChunkIds measuring_chunks(std::int64_t count) const;

  /// The rows of each encoder's token table.
  /// @return for each encoder [N,L,W] float32.
  std::vector<at::Tensor> embed(const ChunkIds& chunks) const;

  /// @param embeddings for each encoder [N,L,W] float32; differentiable in them.
  /// @param ends       of ChunkIds.
  /// @param skip_last  layers left out at the end of each encoder.
  EncodedChunks encode(const std::vector<at::Tensor>& embeddings, const at::Tensor& ends,
                       int skip_last = 0) const;

  /// Puts the encoders' outputs side by side, and the chunks of a prompt one after the other. The
  /// pooled vector is that of a prompt's first chunk.
  /// @param rows prompts, each of N / rows chunks that follow each other.
  /// @param place of the image; only models with size ids use it.
  /// @throws InternalError if the model needs the place and its target is empty.
  Conditioning join(const EncodedChunks& encoded, std::int64_t rows, const ImagePlace& place) const;

  /// The parameters of all, for tests that prove them frozen.
  std::vector<at::Tensor> parameters() const;

 private:
  std::vector<TextEncoder> encoders_;
  std::int64_t positions_;
  bool has_size_ids_;
  bool zeroes_empty_negative_;
};

}  // namespace sdx
