#include "sdx/embedding/embedding.h"

#include <algorithm>
#include <array>

#include "sdx/util/error.h"
#include "sdx/util/name.h"
#include "sdx/util/text.h"

namespace sdx {

namespace {

using Widths = std::vector<std::int64_t>;

constexpr std::size_t kFirst = 0;
constexpr std::size_t kSecond = 1;

/// "768 and 1280"; a text encoder that is not reached has none.
std::string list(const Widths& widths) {
  std::vector<std::string> texts;
  for (const std::int64_t width : widths) {
    if (width > 0) texts.push_back(std::to_string(width));
  }
  return join(texts, " and ");
}

bool is_sdxl(const Widths& widths) {
  const auto is_none_or = [](std::int64_t width, TextEncoderKind kind) {
    return width == 0 || text_encoder_kind(width) == kind;
  };
  return widths.size() == 2 && is_none_or(widths[kFirst], TextEncoderKind::kSd1) &&
         is_none_or(widths[kSecond], TextEncoderKind::kSdxlSecond);
}

std::string name_source(const Embedding& embedding) {
  return embedding.file.empty() ? placeholder(embedding.name) : embedding.file.string();
}

/// Which of two text encoders an embedding of one matrix is for; nothing if that is not known.
std::optional<std::size_t> find_encoder(const Embedding& embedding) {
  const EmbeddingVectors& vectors = embedding.vectors;
  if (vectors.matrices().size() == 2 && !vectors.reaches_all()) {
    return vectors.reaches(kFirst) ? kFirst : kSecond;
  }
  if (vectors.matrices().size() != 1) return std::nullopt;
  if (text_encoder_kind(vectors.only().size(1)) == TextEncoderKind::kSd1) return kFirst;
  return std::nullopt;
}

/// The matrix of an embedding for one text encoder.
const at::Tensor& matrix_in(const EmbeddingVectors& vectors, std::size_t encoder) {
  return vectors.matrices().size() == 1 ? vectors.only() : vectors.matrix(encoder);
}

/// What somebody can do whose embedding has widths that a model does not take.
std::string advise(const Widths& found, const Widths& expected) {
  std::string advice = "; use it with " +
                       std::string(is_sdxl(found) ? "an SDXL model" : "a model of its family") +
                       " (`model`), or train the word anew on this one";
  if (found.size() == 1 && is_sdxl(expected) && found.front() == expected[kFirst]) {
    advice +=
        ". If it is one of the two files that diffusers writes for SDXL, give the other one as "
        "well (learned_embeds_2.safetensors)";
  }
  return advice;
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

std::string made_for(const Widths& widths) {
  if (is_sdxl(widths)) return "SDXL";
  if (widths.size() == 1) return made_for(widths.front());
  const auto reached = std::ranges::count_if(widths, [](std::int64_t width) { return width > 0; });
  return std::string("a model of ") + (reached == 1 ? "width " : "widths ") + list(widths);
}

std::string describe_size(const EmbeddingVectors& vectors) {
  std::vector<std::string> texts;
  for (const std::int64_t width : vectors.widths()) {
    if (width == 0) continue;
    texts.push_back(std::to_string(vectors.count()) + " x " + std::to_string(width));
  }
  return join(texts, " and ");
}

void check_widths(const Embedding& embedding, const Widths& widths) {
  const Widths found = embedding.vectors.widths();
  const bool fits = std::ranges::equal(
      found, widths,
      [](std::int64_t width, std::int64_t expected) { return width == 0 || width == expected; });
  if (fits) return;
  throw DataError(name_source(embedding) + ": made for " + made_for(found) + " (vectors of width " +
                  list(found) + "), this model takes embeddings for " + made_for(widths) +
                  " (width " + list(widths) + ")" + advise(found, widths));
}

std::optional<Embedding> join_halves(const Embedding& one, const Embedding& other) {
  const auto encoder = find_encoder(one);
  const auto other_encoder = find_encoder(other);
  if (!is_same_name(one.name, other.name) || !encoder || !other_encoder ||
      *encoder == *other_encoder) {
    return std::nullopt;
  }
  if (one.vectors.count() != other.vectors.count()) {
    throw DataError(name_source(one) + " and " + name_source(other) +
                    " are the halves of one word, " + placeholder(one.name) + ", and hold " +
                    std::to_string(one.vectors.count()) + " and " +
                    std::to_string(other.vectors.count()) +
                    " vectors; both must hold as many: give two files of one training");
  }
  std::vector<at::Tensor> matrices(2);
  matrices[*encoder] = matrix_in(one.vectors, *encoder);
  matrices[*other_encoder] = matrix_in(other.vectors, *other_encoder);
  Embedding whole = *encoder == kFirst ? one : other;
  whole.vectors = EmbeddingVectors(std::move(matrices));
  whole.metadata.erase(kEncoderKey);
  whole.remark.clear();
  return whole;
}

std::string describe_reach(const EmbeddingVectors& vectors) {
  if (!vectors.defined() || vectors.reaches_all()) return "";
  constexpr std::array kPlaces = {"first", "second"};
  const std::size_t reached = vectors.reaches(kFirst) ? kFirst : kSecond;
  return std::string("holds vectors for the ") + kPlaces[reached] + " text encoder alone; the " +
         kPlaces[1 - reached] + " reads the prompt without the word";
}

}  // namespace sdx
