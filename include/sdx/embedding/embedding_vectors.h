#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "sdx/tensor/safetensors.h"

namespace sdx {

/// The vectors that are learnt: for each text encoder of a model one matrix [K,W]. K, the positions
/// of the prompt that the embedding takes, is the same for all; W is the encoder's width.
/// Optimisers keep their moments, and gradients come, in the same form.
///
/// A model with one text encoder has one matrix. Its code may treat that as all there is: an
/// at::Tensor converts to EmbeddingVectors, which convert back to their only matrix.
///
/// A file may hold the vectors for one of a model's two encoders alone. Then the other matrix is an
/// undefined tensor: the embedding does not reach that encoder, which reads a prompt without it.
/// What is trained reaches all encoders.
class EmbeddingVectors {
 public:
  /// None yet: not defined().
  EmbeddingVectors() = default;
  /// Of a model with one text encoder. An undefined tensor: none.
  EmbeddingVectors(const at::Tensor& only);  // NOLINT(google-explicit-constructor): see above
  /// @param matrices of each encoder, in the model's order; undefined for one that is not reached.
  /// @throws InternalError if they are not matrices with the same number of rows, or all undefined.
  explicit EmbeddingVectors(std::vector<at::Tensor> matrices);

  bool defined() const { return !matrices_.empty(); }
  /// K. @throws InternalError if there are none.
  std::int64_t count() const;
  /// W of each; 0 of an encoder that is not reached.
  std::vector<std::int64_t> widths() const;
  /// Whether there are vectors for this encoder.
  bool reaches(std::size_t encoder) const { return matrices_.at(encoder).defined(); }
  /// Whether there are vectors for every encoder.
  bool reaches_all() const;

  const std::vector<at::Tensor>& matrices() const { return matrices_; }
  const at::Tensor& matrix(std::size_t encoder) const { return matrices_.at(encoder); }

  /// The matrix of a model with one text encoder.
  /// @throws InternalError if there is another number of them.
  const at::Tensor& only() const;
  operator const at::Tensor&() const { return only(); }  // NOLINT(google-explicit-constructor)

  EmbeddingVectors clone() const;

  /// The matrices made by `change(matrix, others' matrix …)`, encoder by encoder. One that is
  /// undefined stays so.
  template <typename Change, typename... Others>
  EmbeddingVectors map(Change change, const Others&... others) const {
    std::vector<at::Tensor> made;
    for (std::size_t i = 0; i < matrices_.size(); ++i) {
      made.push_back(reaches(i) ? change(matrices_[i], others.matrix(i)...) : at::Tensor());
    }
    return EmbeddingVectors(std::move(made));
  }

  /// The Euclidean norm of all numbers.
  double norm() const;
  /// Mean length of the rows, over all encoders.
  double mean_row_norm() const;

 private:
  std::vector<at::Tensor> matrices_;
};

/// Whether both have the same shapes.
bool have_same_shapes(const EmbeddingVectors& a, const EmbeddingVectors& b);

/// Whether both have the same numbers.
bool are_equal(const EmbeddingVectors& a, const EmbeddingVectors& b);

// Several matrices in one file: the first encoder's under the name itself, as files of models with
// one encoder have it, the second's under "<name>.2", and so on.

/// Adds them to `tensors`; nothing if they are not defined. They reach all encoders.
void put_vectors(TensorMap& tensors, const std::string& name, const EmbeddingVectors& vectors);

/// What put_vectors() has put there; not defined if there is no such name.
/// @return copies, which do not hold on to the file that the tensors are mapped from.
/// @throws DataError if the matrices do not fit each other.
EmbeddingVectors take_vectors(const TensorMap& tensors, const std::string& name);

}  // namespace sdx
