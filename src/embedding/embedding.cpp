#include "sdx/embedding/embedding.h"

#include "sdx/util/error.h"
#include "sdx/util/text.h"

namespace sdx {

namespace {

std::string width_text(std::int64_t width) { return std::to_string(width); }

/// "a and b".
std::string list(const std::vector<std::int64_t>& widths, std::string (*text)(std::int64_t)) {
  std::vector<std::string> texts;
  for (const std::int64_t width : widths) texts.push_back(text(width));
  return join(texts, " and ");
}

}  // namespace

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

void check_widths(const Embedding& embedding, const std::vector<std::int64_t>& widths) {
  const std::vector<std::int64_t> found = embedding.vectors.widths();
  if (found == widths) return;
  throw DataError((embedding.file.empty() ? placeholder(embedding.name) : embedding.file.string()) +
                  ": made for " + list(found, made_for) + " (vectors of width " +
                  list(found, width_text) + "), this model takes embeddings for " +
                  list(widths, made_for) + " (width " + list(widths, width_text) + ")");
}

}  // namespace sdx
