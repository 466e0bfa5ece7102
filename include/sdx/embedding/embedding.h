#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "sdx/embedding/embedding_vectors.h"

#include "sdx/util/enum_text.h"

namespace sdx {

/// A learned word: what `<Name>` in a prompt stands for.
struct Embedding {
  std::string name;          ///< without brackets, case as written
  EmbeddingVectors vectors;  ///< for each text encoder of its model [K,W] float32
  std::map<std::string, std::string> metadata;  ///< how it was made, as its file says it
  std::filesystem::path file;  ///< where it was read from; empty if it was made here
  std::string remark = {};     ///< what a person should know before using it; mostly empty
};

/// What stands in a prompt for the embedding of this name: "<Name>".
std::string placeholder(const std::string& name);

/// Text encoders, which differ in the width of their vectors.
enum class TextEncoderKind {
  kSd1,         ///< 768
  kSd2,         ///< 1024
  kSdxlSecond,  ///< 1280
  kOther,
};

template <>
inline constexpr std::array kEnumTexts<TextEncoderKind> = {
    EnumText{TextEncoderKind::kSd1, "SD 1.x"}, EnumText{TextEncoderKind::kSd2, "SD 2.x"},
    EnumText{TextEncoderKind::kSdxlSecond, "the second text encoder of SDXL"},
    EnumText{TextEncoderKind::kOther, "another model"}};

/// The text encoder whose vectors have this width.
TextEncoderKind text_encoder_kind(std::int64_t width);

/// The models whose text encoder has vectors of this width, for messages: "SD 1.x",
/// for others "a model of width 128".
std::string made_for(std::int64_t width);

/// Refuses an embedding that was made for another model.
/// @param widths of the vectors that the model's text encoders take, in their order
/// @throws DataError naming the file, and the models that either's widths belong to.
void check_widths(const Embedding& embedding, const std::vector<std::int64_t>& widths);

}  // namespace sdx
