#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sdx/embedding/embedding_vectors.h"

#include "sdx/util/enum_text.h"

namespace sdx {

/// A learned word: the vectors that `<Name>` in a prompt stands for.
struct Embedding {
  std::string name;          ///< without brackets, case as written
  EmbeddingVectors vectors;  ///< for each text encoder of its model [K,W] float32
  std::map<std::string, std::string> metadata;  ///< how it was made, as its file says it
  std::filesystem::path file;  ///< where it was read from; empty if it was made here
  std::string remark = {};     ///< what a person should know before using it; mostly empty
};

/// The placeholder that stands in a prompt for the embedding of this name: "<Name>".
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

/// The models whose text encoders have vectors of these widths, for messages: "SDXL", "SD 1.x", "a
/// model of widths 2 and 1".
/// @param widths of EmbeddingVectors::widths(); 0 for an encoder that is not reached
std::string made_for(const std::vector<std::int64_t>& widths);

/// "2 x 768", or "2 x 768 and 2 x 1280": rows and width for each text encoder that is reached.
std::string describe_size(const EmbeddingVectors& vectors);

/// Refuses an embedding that was made for another model. One for a single text encoder of a model
/// with two fits: its other matrix is undefined.
/// @param widths of the vectors that the model's text encoders take, in their order
/// @throws DataError naming the file, the models that either's widths belong to, and what to do.
void check_widths(const Embedding& embedding, const std::vector<std::int64_t>& widths);

/// Joins two halves, as diffusers writes them into two files, into the embedding of a model with
/// two text encoders. One half has the vectors for the first encoder, the other those for the
/// second. Their widths tell which is which, or the metadata of our own files (kEncoderKey).
/// @return nothing if they are no halves of one embedding: another name, or for the same encoder
/// @throws DataError naming both files if they have different numbers of vectors.
std::optional<Embedding> join_halves(const Embedding& one, const Embedding& other);

/// The key of metadata that says for which text encoder, "1" or "2", a file of ours holds the
/// vectors, where it does not hold all.
inline constexpr const char* kEncoderKey = "sdx.text_encoder";

/// A remark for the user of an embedding that does not reach all text encoders; else empty.
std::string describe_reach(const EmbeddingVectors& vectors);

}  // namespace sdx
