// A .safetensors file: its header and every byte of its tensors.

#include "sdx/tensor/safetensors.h"

#include <ATen/ops/sum.h>

#include "fuzz/target.h"

using namespace sdx;

SDX_FUZZ_TARGET(safetensors) {
  const Safetensors content = map_safetensors(fuzz::make_file("a.safetensors", bytes));
  for (const auto& [name, tensor] : content.tensors) {
    if (tensor.numel() > 0) tensor.sum().item();
  }
}
