#include "sdx/embedding/embedding_vectors.h"

#include <ATen/ops/equal.h>

#include <algorithm>
#include <cmath>

#include "sdx/util/error.h"

namespace sdx {

namespace {

bool is_defined(const at::Tensor& matrix) { return matrix.defined(); }

/// Whether all that are defined are matrices with as many rows, and one of them is.
bool fit(const std::vector<at::Tensor>& matrices) {
  const auto first = std::ranges::find_if(matrices, is_defined);
  if (first == matrices.end()) return matrices.empty();
  return std::ranges::all_of(matrices, [&](const at::Tensor& matrix) {
    return !matrix.defined() || (matrix.dim() == 2 && matrix.size(0) == first->size(0));
  });
}

std::string name_for(const std::string& name, std::size_t encoder) {
  return encoder == 0 ? name : name + "." + std::to_string(encoder + 1);
}

}  // namespace

EmbeddingVectors::EmbeddingVectors(const at::Tensor& only) {
  if (only.defined()) *this = EmbeddingVectors(std::vector<at::Tensor>{only});
}

EmbeddingVectors::EmbeddingVectors(std::vector<at::Tensor> matrices)
    : matrices_(std::move(matrices)) {
  if (!fit(matrices_)) {
    throw InternalError(
        "an embedding's vectors: expected for each text encoder a matrix with as many rows");
  }
}

std::int64_t EmbeddingVectors::count() const {
  if (!defined()) throw InternalError("an embedding's vectors: there are none yet");
  return std::ranges::find_if(matrices_, is_defined)->size(0);
}

std::vector<std::int64_t> EmbeddingVectors::widths() const {
  std::vector<std::int64_t> widths;
  for (const at::Tensor& matrix : matrices_) {
    widths.push_back(matrix.defined() ? matrix.size(1) : 0);
  }
  return widths;
}

bool EmbeddingVectors::reaches_all() const { return std::ranges::all_of(matrices_, is_defined); }

const at::Tensor& EmbeddingVectors::only() const {
  if (matrices_.size() == 1) return matrices_.front();
  throw InternalError("an embedding's vectors: expected those of one text encoder, found " +
                      std::to_string(matrices_.size()));
}

EmbeddingVectors EmbeddingVectors::clone() const {
  return map([](const at::Tensor& matrix) { return matrix.clone(); });
}

double EmbeddingVectors::norm() const {
  double norm = matrices_.front().norm().item<double>();
  for (std::size_t i = 1; i < matrices_.size(); ++i) {
    norm = std::hypot(norm, matrices_[i].norm().item<double>());
  }
  return norm;
}

double EmbeddingVectors::mean_row_norm() const {
  double sum = 0;
  for (const at::Tensor& matrix : matrices_) sum += matrix.norm(2, {1}).mean().item<double>();
  return sum / static_cast<double>(matrices_.size());
}

bool have_same_shapes(const EmbeddingVectors& a, const EmbeddingVectors& b) {
  return std::ranges::equal(
      a.matrices(), b.matrices(), [](const at::Tensor& one, const at::Tensor& other) {
        return one.defined() == other.defined() && (!one.defined() || one.sizes() == other.sizes());
      });
}

bool are_equal(const EmbeddingVectors& a, const EmbeddingVectors& b) {
  return have_same_shapes(a, b) &&
         std::ranges::equal(a.matrices(), b.matrices(),
                            [](const at::Tensor& one, const at::Tensor& other) {
                              return !one.defined() || at::equal(one, other);
                            });
}

void put_vectors(TensorMap& tensors, const std::string& name, const EmbeddingVectors& vectors) {
  for (std::size_t i = 0; i < vectors.matrices().size(); ++i) {
    tensors[name_for(name, i)] = vectors.matrix(i);
  }
}

EmbeddingVectors take_vectors(const TensorMap& tensors, const std::string& name) {
  std::vector<at::Tensor> matrices;
  for (auto found = tensors.find(name); found != tensors.end();
       found = tensors.find(name_for(name, matrices.size()))) {
    matrices.push_back(found->second.clone());
  }
  if (!fit(matrices)) {
    throw DataError("tensor \"" + name +
                    "\": expected for each text encoder a matrix with as many rows");
  }
  return EmbeddingVectors(std::move(matrices));
}

}  // namespace sdx
