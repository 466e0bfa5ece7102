#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <string>

#include "sdx/model/lora.h"

namespace sdx {

/// Rows and columns of ΔW: a convolution's weight [O,I,h,w] counts as O rows of I·h·w columns.
struct MatrixSize {
  std::int64_t rows = 0;
  std::int64_t columns = 0;

  bool operator==(const MatrixSize&) const = default;
};

/// All that is known of a kind.
struct LoraKindRow {
  LoraKind kind;
  /// What is wrong with the tensors of a layer: "\"lora_up\" is missing"; empty: nothing.
  std::string (*find_fault)(const LoraLayer& layer);
  /// 0: none, and alpha does not count.
  std::int64_t (*find_rank)(const LoraLayer& layer);
  MatrixSize (*find_size)(const LoraLayer& layer);
  /// ΔW before alpha, float32, of find_size() or of the weight's own shape.
  at::Tensor (*compute)(const LoraLayer& layer);
};

std::span<const LoraKindRow> lora_kinds();
const LoraKindRow& lora_kind_row(LoraKind kind);

/// Whether ΔW and the magnitude are those of a weight.
/// @param third as in compute_addition()
bool fits_weight(const LoraLayer& layer, at::IntArrayRef shape, int third);

/// What is added to `weight` at strength 1, float32 of the weight's shape. With a magnitude (DoRA),
/// W' = magnitude · (W + ΔW) / |W + ΔW|, and what is added is W' − W. The lengths are of rows or of
/// columns, as the magnitude has them. Sources: Liu et al. 2024, "DoRA: Weight-Decomposed Low-Rank
/// Adaptation"; PEFT 0.21 and LyCORIS 3, which take the lengths of the changed weight.
/// @param weight float32.
/// @param third  0, 1 or 2: the weight is this third of the rows; -1: all.
at::Tensor compute_addition(const LoraLayer& layer, const at::Tensor& weight, int third);

}  // namespace sdx
