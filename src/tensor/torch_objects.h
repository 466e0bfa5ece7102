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
/// OrderedDict, defaultdict or ParameterDict is a dict, torch.Size or deque a list. Other data of
/// Python, numpy and training programs are opaque: numpy's arrays, dates, paths, torch's dtypes,
/// and objects of any class. A function that would be called and is not known is refused by name,
/// and so is every name of a module that reaches the system.
class TorchObjects : public PickleHost {
 public:
  explicit TorchObjects(StorageFinder find_storage) : find_storage_(std::move(find_storage)) {}

  std::string global(const std::string& module, const std::string& name) override;
  PickleValue call(const std::string& global, const PickleValue::List& arguments) override;
  PickleValue create(const std::string& global, const PickleValue::List& arguments) override;
  void set_state(PickleValue& object, const PickleValue& state) override;
  PickleValue persistent(const PickleValue& id) override;

 private:
  StorageFinder find_storage_;
  std::uint64_t expanded_bytes_ = 0;  ///< by which tensors are larger than their storages
};

}  // namespace sdx
