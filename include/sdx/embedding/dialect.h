#pragma once

#include <array>

#include "sdx/util/enum_text.h"

// The dialects of embedding files. A table in src/embedding/embedding_writer.cpp has a row for
// each, with everything that the program knows of it.

namespace sdx {

/// The program family that wrote an embedding file, as far as its content tells.
enum class EmbeddingFormat {
  kDiffusersSafetensors,  ///< tensors named as their placeholders; ours are such
  kDiffusersBin,          ///< the same as a pickle
  kOriginal,              ///< textual inversion's own: a pickle with `string_to_param`
  kA1111,                 ///< the same with `name`, `step`, `sd_checkpoint`
  kA1111Png,              ///< that as JSON in the text chunk `sd-ti-embedding` of a picture
  kKohya,                 ///< `emb_params`; ComfyUI's are such too
  kOneTrainer,            ///< `emp_params` (their spelling)
  kSdxlPair,              ///< `clip_l` and `clip_g`, for the two text encoders of SDXL
  kReplicate,             ///< `text_encoders_0` and `text_encoders_1`, the same
};

/// For a person: "AUTOMATIC1111 .pt".
template <>
inline constexpr std::array kEnumTexts<EmbeddingFormat> = {
    EnumText{EmbeddingFormat::kDiffusersSafetensors, "diffusers .safetensors"},
    EnumText{EmbeddingFormat::kDiffusersBin, "diffusers .bin"},
    EnumText{EmbeddingFormat::kOriginal, "original textual inversion .pt"},
    EnumText{EmbeddingFormat::kA1111, "AUTOMATIC1111 .pt"},
    EnumText{EmbeddingFormat::kA1111Png, "AUTOMATIC1111 .png"},
    EnumText{EmbeddingFormat::kKohya, "kohya and ComfyUI"},
    EnumText{EmbeddingFormat::kOneTrainer, "OneTrainer"},
    EnumText{EmbeddingFormat::kSdxlPair, "SDXL, clip_l and clip_g"},
    EnumText{EmbeddingFormat::kReplicate, "SDXL, text_encoders_0 and text_encoders_1"}};

/// The forms in which embeddings are written; what reads them is in docs/formats.md.
enum class EmbeddingDialect { kDiffusers, kA1111, kKohya };

template <>
inline constexpr std::array kEnumTexts<EmbeddingDialect> = {
    EnumText{EmbeddingDialect::kDiffusers, "diffusers"},
    EnumText{EmbeddingDialect::kA1111, "a1111"}, EnumText{EmbeddingDialect::kKohya, "kohya"}};

}  // namespace sdx
