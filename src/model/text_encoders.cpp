#include "sdx/model/text_encoders.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/zeros.h>

#include "sdx/device/transfer.h"
#include "sdx/util/error.h"

namespace sdx {

TextEncoders::TextEncoders(const Bundle& bundle, c10::Device device)
    : positions_(bundle.info().tokenizer.special_tokens.max_length),
      has_size_ids_(bundle.info().size_ids),
      zeroes_empty_negative_(bundle.info().zero_empty_negative) {
  for (std::size_t i = 0; i < bundle.info().text_encoders.size(); ++i) {
    encoders_.emplace_back(bundle, device, i);
  }
}

void TextEncoders::reload(const Bundle& bundle, const AppliedLoras& loras) {
  for (TextEncoder& encoder : encoders_) encoder.reload(bundle, loras);
}

std::vector<std::int64_t> TextEncoders::widths() const {
  std::vector<std::int64_t> widths;
  for (const TextEncoder& encoder : encoders_) widths.push_back(encoder.info().width);
  return widths;
}

ChunkIds TextEncoders::measuring_chunks(std::int64_t count) const {
  const at::Tensor ids = at::zeros({count, positions_}, at::kLong);
  return {ids, at::zeros({count, positions_}, at::kBool), at::zeros({count}, at::kLong)};
}

std::vector<at::Tensor> TextEncoders::embed(const ChunkIds& chunks) const {
  std::vector<at::Tensor> embedded;
  for (const TextEncoder& encoder : encoders_) {
    const std::optional<std::int64_t> pad = encoder.info().pad;
    embedded.push_back(
        encoder.embed(pad ? chunks.ids.masked_fill(chunks.is_padding, *pad) : chunks.ids));
  }
  return embedded;
}

EncodedChunks TextEncoders::encode(const std::vector<at::Tensor>& embeddings,
                                   const at::Tensor& ends, int skip_last) const {
  EncodedChunks encoded;
  for (std::size_t i = 0; i < encoders_.size(); ++i) {
    if (!encoders_[i].has_pooled()) {
      encoded.outputs.push_back(encoders_[i].encode(embeddings[i], skip_last));
      continue;
    }
    EncodedText text = encoders_[i].encode_pooled(embeddings[i], ends, skip_last);
    encoded.outputs.push_back(std::move(text.output));
    encoded.pooled = std::move(text.pooled);
  }
  return encoded;
}

Conditioning TextEncoders::join(const EncodedChunks& encoded, std::int64_t rows,
                                const ImagePlace& place) const {
  const at::Tensor side_by_side =
      encoded.outputs.size() == 1 ? encoded.outputs.front() : at::cat(encoded.outputs, 2);
  Conditioning conditioning{side_by_side.reshape({rows, -1, side_by_side.size(2)})};
  if (encoded.pooled.defined()) {
    conditioning.pooled = encoded.pooled.reshape({rows, -1, encoded.pooled.size(1)}).select(1, 0);
  }
  if (!has_size_ids_) return conditioning;
  if (place.target == ImageSize{}) {
    throw InternalError(
        "TextEncoders: the model's conditioning needs the image's size, found 0 x 0");
  }
  conditioning.size_ids = to_device(make_size_ids(place, rows), side_by_side.device());
  return conditioning;
}

std::vector<at::Tensor> TextEncoders::parameters() const {
  std::vector<at::Tensor> all;
  for (const TextEncoder& encoder : encoders_) {
    for (const at::Tensor& parameter : encoder.parameters()) all.push_back(parameter);
  }
  return all;
}

}  // namespace sdx
