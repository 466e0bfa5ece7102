#pragma once

#include <functional>
#include <string>

#include "tensor/pickle.h"
#include "tensor/torch_storage.h"

namespace sdx {

/// Gives the tensor [values] of a storage; an undefined one where only the storages are wanted and
/// their data have no place yet.
using StorageFinder = std::function<at::Tensor(const TorchStorage&)>;

/// What the globals that torch.save writes stand for: tensors and Parameters are tensors, an
/// OrderedDict or ParameterDict is a dict, torch.Size a list, and classes of PyTorch Lightning,
/// numpy's scalars and torch's dtypes are opaque. Any other global is refused by name.
class TorchObjects : public PickleHost {
 public:
  explicit TorchObjects(StorageFinder find_storage) : find_storage_(std::move(find_storage)) {}

  std::string global(const std::string& module, const std::string& name) override;
  PickleValue call(const std::string& global, const PickleValue::List& arguments) override;
  void set_state(PickleValue& object, const PickleValue& state) override;
  PickleValue persistent(const PickleValue& id) override;

 private:
  StorageFinder find_storage_;
};

}  // namespace sdx
