#include "sdx/embedding/embedding.h"

#include "sdx/util/error.h"

namespace sdx {

std::string placeholder(const std::string& name) { return "<" + name + ">"; }

TextEncoderKind text_encoder_kind(std::int64_t width) {
  if (width == 768) return TextEncoderKind::kSd1;
  if (width == 1024) return TextEncoderKind::kSd2;
  if (width == 1280) return TextEncoderKind::kSdxlSecond;
  return TextEncoderKind::kOther;
}

std::string made_for(std::int64_t width) {
  const TextEncoderKind kind = text_encoder_kind(width);
  if (kind == TextEncoderKind::kOther) return "a model of width " + std::to_string(width);
  return std::string(to_string(kind));
}

void check_width(const Embedding& embedding, std::int64_t width) {
  const std::int64_t found = embedding.vectors.size(1);
  if (found == width) return;
  throw DataError((embedding.file.empty() ? placeholder(embedding.name) : embedding.file.string()) +
                  ": made for " + made_for(found) + " (vectors of width " + std::to_string(found) +
                  "), this model takes embeddings for " + made_for(width) + " (width " +
                  std::to_string(width) + ")");
}

}  // namespace sdx
