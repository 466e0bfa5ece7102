#include "model/lora/lora_kinds.h"

#include <ATen/ops/einsum.h>
#include <ATen/ops/kron.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/matmul.h>

#include <algorithm>
#include <array>
#include <limits>
#include <string_view>
#include <vector>

namespace sdx {

namespace {

using enum LoraRole;

at::Tensor in_float(const LoraLayer& layer, LoraRole role) { return layer.at(role).to(at::kFloat); }

/// [R,C,…] as a matrix of R rows.
at::Tensor as_rows(const at::Tensor& tensor) { return tensor.reshape({tensor.size(0), -1}); }

/// One row's columns.
std::int64_t count_columns(const at::Tensor& tensor) { return tensor.numel() / tensor.size(0); }

std::string shape_text(const at::Tensor& tensor) {
  std::string text;
  for (const std::int64_t size : tensor.sizes()) {
    text += (text.empty() ? "" : " x ") + std::to_string(size);
  }
  return text;
}

/// A tensor of a layer and what files call it.
struct Named {
  LoraRole role;
  std::string_view name;
};

std::string missing(std::string_view name, std::string_view other) {
  return "\"" + std::string(name) + "\" is missing, the other half of \"" + std::string(other) +
         "\"";
}

/// Half a pair, or a product whose inner sizes differ.
/// @param size_of_a the dimension of `a` that is the rank
std::string find_fault_of_pair(const LoraLayer& layer, const Named& a, std::int64_t size_of_a,
                               const Named& b) {
  if (!layer.has(a.role)) return missing(a.name, b.name);
  if (!layer.has(b.role)) return missing(b.name, a.name);
  const at::Tensor& left = layer.at(a.role);
  const at::Tensor& right = layer.at(b.role);
  const bool is_product = left.dim() >= 2 && right.dim() >= 2 && left.numel() > 0 &&
                          right.numel() > 0 &&
                          (size_of_a == 0 ? left.dim() == 2 && right.dim() == 2
                                          : left.numel() == left.size(0) * left.size(1));
  if (!is_product) {
    return "expected matrices, found \"" + std::string(a.name) + "\" " + shape_text(left) +
           " and \"" + std::string(b.name) + "\" " + shape_text(right);
  }
  const std::int64_t rank = left.size(size_of_a);
  if (rank == right.size(0) && rank > 0) return "";
  return "\"" + std::string(a.name) + "\" " + shape_text(left) + " is of rank " +
         std::to_string(rank) + ", \"" + std::string(b.name) + "\" " + shape_text(right) +
         " of rank " + std::to_string(right.size(0));
}

/// A core [R,R,h,w] between two matrices of rank R.
std::string find_fault_of_core(const LoraLayer& layer, const Named& core, std::int64_t rank) {
  if (!layer.has(core.role)) return "";
  const at::Tensor& tensor = layer.at(core.role);
  if (tensor.dim() == 4 && tensor.size(0) == rank && tensor.size(1) == rank) return "";
  return "\"" + std::string(core.name) + "\": expected " + std::to_string(rank) + " x " +
         std::to_string(rank) + " and a kernel's size, found " + shape_text(tensor);
}

/// Of a core [R,S,h,w] and matrices in [S,I] and out [R,O]: [O,I,h,w].
at::Tensor multiply_core(const at::Tensor& core, const at::Tensor& out, const at::Tensor& in) {
  return at::einsum("rshw,ro,si->oihw", {core, out, in});
}

std::int64_t kernel_size(const at::Tensor& core) { return core.size(2) * core.size(3); }

// ------------------------------------------------------------------------------------------ LoRA

constexpr Named kUpNamed{kUp, "lora_up"};
constexpr Named kDownNamed{kDown, "lora_down"};
constexpr Named kMidNamed{kMid, "lora_mid"};

std::string find_fault_of_lora(const LoraLayer& layer) {
  if (std::string fault = find_fault_of_pair(layer, kUpNamed, 1, kDownNamed); !fault.empty()) {
    return fault;
  }
  return find_fault_of_core(layer, kMidNamed, layer.at(kDown).size(0));
}

std::int64_t find_rank_of_lora(const LoraLayer& layer) { return layer.at(kDown).size(0); }

MatrixSize find_size_of_lora(const LoraLayer& layer) {
  const std::int64_t kernel = layer.has(kMid) ? kernel_size(layer.at(kMid)) : 1;
  return {layer.at(kUp).size(0), count_columns(layer.at(kDown)) * kernel};
}

at::Tensor compute_lora(const LoraLayer& layer) {
  const at::Tensor up = as_rows(in_float(layer, kUp));
  const at::Tensor down = as_rows(in_float(layer, kDown));
  if (layer.has(kMid)) return multiply_core(in_float(layer, kMid), up.t(), down);
  return at::matmul(up, down);
}

// ------------------------------------------------------------------------------------------ LoHa

constexpr std::array<Named, 2> kA = {{{kW1A, "hada_w1_a"}, {kW2A, "hada_w2_a"}}};
constexpr std::array<Named, 2> kB = {{{kW1B, "hada_w1_b"}, {kW2B, "hada_w2_b"}}};
constexpr std::array<Named, 2> kCore = {{{kT1, "hada_t1"}, {kT2, "hada_t2"}}};

/// One of the two factors. With a core its first matrix lies the other way round.
MatrixSize find_size_of_factor(const LoraLayer& layer, std::size_t i) {
  const at::Tensor& a = layer.at(kA[i].role);
  const at::Tensor& b = layer.at(kB[i].role);
  if (!layer.has(kCore[i].role)) return {a.size(0), count_columns(b)};
  return {a.size(1), count_columns(b) * kernel_size(layer.at(kCore[i].role))};
}

std::string find_fault_of_loha(const LoraLayer& layer) {
  for (std::size_t i = 0; i < kA.size(); ++i) {
    const bool has_core = layer.has(kCore[i].role);
    if (std::string fault = find_fault_of_pair(layer, kA[i], has_core ? 0 : 1, kB[i]);
        !fault.empty()) {
      return fault;
    }
    if (std::string fault = find_fault_of_core(layer, kCore[i], layer.at(kB[i].role).size(0));
        !fault.empty()) {
      return fault;
    }
  }
  const MatrixSize first = find_size_of_factor(layer, 0);
  const MatrixSize second = find_size_of_factor(layer, 1);
  if (first == second) return "";
  return "its two factors are of different sizes, " + std::to_string(first.rows) + " x " +
         std::to_string(first.columns) + " and " + std::to_string(second.rows) + " x " +
         std::to_string(second.columns);
}

std::int64_t find_rank_of_loha(const LoraLayer& layer) { return layer.at(kW1B).size(0); }

MatrixSize find_size_of_loha(const LoraLayer& layer) { return find_size_of_factor(layer, 0); }

at::Tensor compute_factor(const LoraLayer& layer, std::size_t i) {
  const at::Tensor a = in_float(layer, kA[i].role);
  const at::Tensor b = in_float(layer, kB[i].role);
  if (layer.has(kCore[i].role)) return multiply_core(in_float(layer, kCore[i].role), a, b);
  return at::matmul(a, as_rows(b));
}

at::Tensor compute_loha(const LoraLayer& layer) {
  const at::Tensor first = compute_factor(layer, 0);
  return first * compute_factor(layer, 1).reshape(first.sizes());
}

// ------------------------------------------------------------------------------------------ LoKr

/// A factor is whole, or the product of two matrices; the second may have a core.
struct LokrFactor {
  Named whole;
  Named a;
  Named b;
  Named core;
};

constexpr std::array<LokrFactor, 2> kFactors = {
    {{{kW1, "lokr_w1"}, {kW1A, "lokr_w1_a"}, {kW1B, "lokr_w1_b"}, {kT1, "lokr_t1"}},
     {{kW2, "lokr_w2"}, {kW2A, "lokr_w2_a"}, {kW2B, "lokr_w2_b"}, {kT2, "lokr_t2"}}}};

std::string find_fault_of_factor(const LoraLayer& layer, const LokrFactor& factor) {
  if (layer.has(factor.whole.role)) {
    const at::Tensor& whole = layer.at(factor.whole.role);
    if (whole.dim() >= 2 && whole.numel() > 0) return "";
    return "\"" + std::string(factor.whole.name) + "\": expected a matrix, found " +
           shape_text(whole);
  }
  if (!layer.has(factor.a.role) && !layer.has(factor.b.role)) {
    return "\"" + std::string(factor.whole.name) + "\" is missing, and so are \"" +
           std::string(factor.a.name) + "\" and \"" + std::string(factor.b.name) + "\"";
  }
  const bool has_core = layer.has(factor.core.role);
  if (std::string fault = find_fault_of_pair(layer, factor.a, has_core ? 0 : 1, factor.b);
      !fault.empty()) {
    return fault;
  }
  return find_fault_of_core(layer, factor.core, layer.at(factor.b.role).size(0));
}

std::string find_fault_of_lokr(const LoraLayer& layer) {
  for (const LokrFactor& factor : kFactors) {
    if (std::string fault = find_fault_of_factor(layer, factor); !fault.empty()) return fault;
  }
  const bool has_kernel_first = layer.has(kT1) || (layer.has(kW1) && layer.at(kW1).dim() > 2);
  return has_kernel_first ? "\"lokr_w1\": expected a matrix, found a convolution" : "";
}

/// Of the second factor if it is a product, else of the first: what LyCORIS divides alpha by.
std::int64_t find_rank_of_lokr(const LoraLayer& layer) {
  if (!layer.has(kW2)) return layer.at(kW2B).size(0);
  return layer.has(kW1) ? 0 : layer.at(kW1B).size(0);
}

at::Tensor compute_factor(const LoraLayer& layer, const LokrFactor& factor) {
  if (layer.has(factor.whole.role)) return in_float(layer, factor.whole.role);
  const at::Tensor a = in_float(layer, factor.a.role);
  const at::Tensor b = in_float(layer, factor.b.role);
  if (layer.has(factor.core.role)) return multiply_core(in_float(layer, factor.core.role), a, b);
  return at::matmul(a, as_rows(b));
}

MatrixSize find_size_of_factor(const LoraLayer& layer, const LokrFactor& factor) {
  if (layer.has(factor.whole.role)) {
    const at::Tensor& whole = layer.at(factor.whole.role);
    return {whole.size(0), count_columns(whole)};
  }
  const bool has_core = layer.has(factor.core.role);
  return {layer.at(factor.a.role).size(has_core ? 1 : 0),
          count_columns(layer.at(factor.b.role)) *
              (has_core ? kernel_size(layer.at(factor.core.role)) : 1)};
}

MatrixSize find_size_of_lokr(const LoraLayer& layer) {
  const MatrixSize first = find_size_of_factor(layer, kFactors[0]);
  const MatrixSize second = find_size_of_factor(layer, kFactors[1]);
  return {first.rows * second.rows, first.columns * second.columns};
}

at::Tensor compute_lokr(const LoraLayer& layer) {
  at::Tensor first = compute_factor(layer, kFactors[0]);
  const at::Tensor second = compute_factor(layer, kFactors[1]);
  while (first.dim() < second.dim()) first = first.unsqueeze(-1);
  return at::kron(first.contiguous(), second.contiguous());  // it takes no others
}

// ------------------------------------------------------------------------------------ difference

std::string find_fault_of_difference(const LoraLayer& layer) {
  if (!layer.has(kDifference)) return "\"diff\" is missing";
  return layer.at(kDifference).numel() > 0 ? "" : "\"diff\" is empty";
}

std::int64_t find_no_rank(const LoraLayer& /*layer*/) { return 0; }

MatrixSize find_size_of_difference(const LoraLayer& layer) {
  const at::Tensor& whole = layer.at(kDifference);
  return {whole.dim() == 0 ? 1 : whole.size(0), whole.dim() == 0 ? 1 : count_columns(whole)};
}

at::Tensor compute_difference(const LoraLayer& layer) { return in_float(layer, kDifference); }

constexpr std::array<LoraKindRow, 4> kKinds = {{
    {LoraKind::kLora, find_fault_of_lora, find_rank_of_lora, find_size_of_lora, compute_lora},
    {LoraKind::kLoha, find_fault_of_loha, find_rank_of_loha, find_size_of_loha, compute_loha},
    {LoraKind::kLokr, find_fault_of_lokr, find_rank_of_lokr, find_size_of_lokr, compute_lokr},
    {LoraKind::kDifference, find_fault_of_difference, find_no_rank, find_size_of_difference,
     compute_difference},
}};

// ------------------------------------------------------------------------------------------ DoRA

/// The lengths of a matrix' rows, [O,1], or columns, [1,I,…]: as `magnitude` has them. One length
/// for each of I, over rows and places of the kernel.
at::Tensor compute_lengths(const at::Tensor& weight, bool of_rows) {
  std::vector<std::int64_t> over;
  for (std::int64_t i = 0; i < weight.dim(); ++i) {
    if (i != (of_rows ? 0 : 1)) over.push_back(i);
  }
  return at::linalg_vector_norm(weight, 2, over, /*keepdim=*/true) +
         std::numeric_limits<float>::epsilon();
}

/// PEFT's is a vector, of rows; LyCORIS' has the weight's dimensions, and 1 but in one of them.
bool is_of_rows(const at::Tensor& magnitude) {
  return magnitude.dim() < 2 || magnitude.size(0) == magnitude.numel();
}

at::Tensor with_magnitude(const LoraLayer& layer, const at::Tensor& changed) {
  const at::Tensor magnitude = in_float(layer, kMagnitude);
  const bool of_rows = is_of_rows(magnitude);
  std::vector<std::int64_t> shape(static_cast<std::size_t>(changed.dim()), 1);
  shape.at(of_rows ? 0 : 1) = magnitude.numel();
  return changed * (magnitude.reshape(shape) / compute_lengths(changed, of_rows));
}

}  // namespace

std::span<const LoraKindRow> lora_kinds() { return kKinds; }

const LoraKindRow& lora_kind_row(LoraKind kind) {
  return *std::ranges::find(kKinds, kind, &LoraKindRow::kind);
}

bool fits_weight(const LoraLayer& layer, at::IntArrayRef shape, int third) {
  if (shape.empty()) return false;
  std::int64_t columns = 1;
  for (const std::int64_t size : shape.slice(1)) columns *= size;
  const std::int64_t rows = shape[0] * (third >= 0 ? 3 : 1);
  if (lora_kind_row(layer.kind).find_size(layer) != MatrixSize{rows, columns}) return false;
  if (!layer.has_magnitude()) return true;
  const at::Tensor& magnitude = layer.at(kMagnitude);
  const std::size_t axis = is_of_rows(magnitude) ? 0 : 1;
  return third < 0 && shape.size() >= 2 && magnitude.numel() == shape[axis];
}

at::Tensor compute_addition(const LoraLayer& layer, const at::Tensor& weight, int third) {
  at::Tensor difference = lora_kind_row(layer.kind).compute(layer) * layer.scale();
  if (third >= 0) difference = difference.chunk(3, 0)[static_cast<std::size_t>(third)];
  difference = difference.reshape(weight.sizes());
  if (!layer.has_magnitude()) return difference;
  return with_magnitude(layer, weight + difference) - weight;
}

}  // namespace sdx
