#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "sdx/model/lora.h"
#include "sdx/tensor/safetensors.h"

namespace sdx::test {

/// A small LoRA of scripts/parity/make_lora_goldens.py: "sd1-kohya".
inline std::filesystem::path lora_file(const std::string& name) {
  return std::filesystem::path(SDX_TEST_DATA) / "lora" / (name + ".safetensors");
}

/// What diffusers, or the formula, makes of the tiny models with them.
inline const TensorMap& lora_golden() {
  static const Safetensors content = map_safetensors(lora_file("golden"));
  return content.tensors;
}

inline AppliedLora applied(const std::string& name, double strength) {
  return {name, read_lora(lora_file(name)), strength, strength};
}

}  // namespace sdx::test
