#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sdx/model/bundle.h"
#include "sdx/tensor/safetensors.h"

namespace sdx {

/// Where the weights of a part come from, between its bundle's files and the program that they are
/// bound to. load_script_part() asks for each parameter once, before the weights are converted or
/// prepared: so a source may hand out other tensors than the file's, and nothing after it needs to
/// know.
class WeightSource {
 public:
  virtual ~WeightSource() = default;

  /// The weight of this name, of any floating type, on the CPU. It is never written to: what is
  /// handed out may be a view of a mapped file.
  /// @throws DataError naming the part and the tensor if there is none.
  virtual at::Tensor weight(const std::string& name) const = 0;
};

/// The tensors of a bundle as they lie in its files, memory-mapped: nothing is read before it is
/// used.
class MappedWeights : public WeightSource {
 public:
  /// The weights of a part ("unet"), in a file of their own or linked to; null where the program
  /// carries them itself.
  /// @throws as Bundle::checked_file and map_linked_weights().
  static std::unique_ptr<MappedWeights> find(const Bundle& bundle, const std::string& part);

  /// @param part for messages
  MappedWeights(std::string part, TensorMap tensors)
      : part_(std::move(part)), tensors_(std::move(tensors)) {}

  at::Tensor weight(const std::string& name) const override;

  /// The shapes of all, by name.
  std::map<std::string, std::vector<std::int64_t>> shapes() const;

 private:
  std::string part_;  ///< its path, for messages
  TensorMap tensors_;
};

}  // namespace sdx
