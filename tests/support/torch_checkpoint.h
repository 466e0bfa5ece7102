#pragma once

#include <functional>
#include <string>

#include "sdx/tensor/safetensors.h"
#include "support/torch_bytes.h"

namespace sdx::test {

/// The opcodes of the keys and values of a dict of these float32 tensors; their data join `plan`.
inline std::string tensor_entries(const TensorMap& tensors, ZipPlan& plan) {
  std::string entries;
  for (const auto& [name, tensor] : tensors) {
    const at::Tensor values = tensor.to(at::kFloat).contiguous();
    const std::string key = std::to_string(plan.parts.size());
    entries += text(name) + test::tensor(storage(key, values.numel()), 0, values.sizes().vec(),
                                         values.strides().vec());
    plan.parts.push_back(
        {"archive/data/" + key,
         std::string(static_cast<const char*>(values.data_ptr()), values.nbytes())});
  }
  return entries;
}

/// A file of torch.save with these tensors in float32.
/// @param wrap  makes the opcodes of the whole value of those of the dict's keys and values
inline std::string torch_checkpoint(const TensorMap& tensors,
                                    const std::function<std::string(const std::string&)>& wrap) {
  ZipPlan plan = {{{"archive/data.pkl", ""}}};
  const std::string entries = tensor_entries(tensors, plan);
  plan.parts[0].bytes = pickle(wrap(entries));
  return zip(plan);
}

/// {"key": {the tensors}, more}
inline std::string state_under(const std::string& key, const std::string& entries,
                               const std::string& more = "") {
  return "}(" + text(key) + "}(" + entries + "u" + more + "u";
}

/// bytes, as protocol 2 has them.
inline std::string encoded(const std::string& value) {
  return call(global("_codecs", "encode"), {text(value), text("latin1")});
}

/// A new object of a class with no attributes.
inline std::string object(const std::string& module, const std::string& name) {
  return global(module, name) + ")\x81}b";
}

/// numpy.arange(2, dtype="<i4"), as numpy 1 (or 2: module "numpy._core.multiarray") is pickled.
inline std::string numpy_array(const std::string& module = "numpy.core.multiarray") {
  const std::string dtype =
      call(global("numpy", "dtype"), {text("i4"), "\x89", "\x88"}) +
      tuple({integer(3), text("<"), "N", "N", "N", integer(-1), integer(-1), integer(0)}) + "b";
  const std::string state = tuple({integer(1), tuple({integer(2)}), dtype, "\x89",
                                   encoded(std::string("\0\0\0\0\1\0\0\0", 8))});
  return call(global(module, "_reconstruct"),
              {global("numpy", "ndarray"), tuple({integer(0)}), encoded("b")}) +
         state + "b";
}

}  // namespace sdx::test
