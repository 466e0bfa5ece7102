#include "model/weight_source.h"

#include "model/linked_weights.h"
#include "sdx/util/error.h"

namespace sdx {

std::unique_ptr<MappedWeights> MappedWeights::find(const Bundle& bundle, const std::string& part) {
  const auto found = [&](TensorMap tensors) {
    return std::make_unique<MappedWeights>((bundle.folder() / part).string(), std::move(tensors));
  };
  if (bundle.has_file(part + ".safetensors")) {
    return found(map_safetensors(bundle.checked_file(part + ".safetensors")).tensors);
  }
  if (bundle.has_file(part + ".link.json")) {
    return found(map_linked_weights(bundle.checked_file(part + ".link.json")));
  }
  return nullptr;
}

at::Tensor MappedWeights::weight(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) {
    throw DataError(part_ + ": tensor \"" + name + "\" is missing; import the model again");
  }
  return found->second;
}

std::map<std::string, std::vector<std::int64_t>> MappedWeights::shapes() const {
  std::map<std::string, std::vector<std::int64_t>> shapes;
  for (const auto& [name, tensor] : tensors_) shapes[name] = tensor.sizes().vec();
  return shapes;
}

}  // namespace sdx
