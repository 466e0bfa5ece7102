#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>

#include "sdx/tensor/safetensors.h"
#include "sdx/util/json.h"

namespace sdx::test {

/// Values that follow from a name: the same as scripts/parity/synthetic.py's, bit for bit.
at::Tensor synthetic_weight(const std::string& name, at::IntArrayRef shape);
at::Tensor synthetic_noise(const std::string& name, at::IntArrayRef shape);

/// A model of tests/data/layouts, of synthetic weights, in both layouts that checkpoints have.
class SyntheticModel {
 public:
  /// @param name of the layout: sd1-tiny, sd2-tiny, sd1, sd2; of SDXL's anatomy sdxl-tiny,
  ///        ssd1b-tiny, vega-tiny, koala-tiny, sdxl, ssd1b, vega
  explicit SyntheticModel(const std::string& name);

  /// Whether it has two text encoders, as SDXL has them.
  bool is_xl() const { return layout_["tensors"].contains("text_encoder_2"); }

  /// The weights of a part under diffusers' names.
  TensorMap weights(const std::string& part, at::ScalarType dtype) const;
  /// All weights under the original's names, with what such files hold besides.
  TensorMap original_weights(at::ScalarType dtype) const;

  /// Writes diffusers' folder layout, with the standard CLIP tokenizer.
  void write_folder(const std::filesystem::path& folder, at::ScalarType dtype) const;
  void write_single_file(const std::filesystem::path& file, at::ScalarType dtype) const;
  /// The same in float32 as PyTorch Lightning writes it: `state_dict`, `global_step`, callbacks.
  void write_ckpt(const std::filesystem::path& file, std::int64_t global_step) const;

  /// What the reference computes with it.
  const TensorMap& golden() const { return golden_; }
  const Json& config(const std::string& part) const { return layout_["configs"][part]; }
  /// Of outputs that are kept in part, every how many-th value: "text", "text_2", "unet", "vae".
  std::int64_t kept_every(const std::string& output) const;

 private:
  std::string name_;
  Json layout_;
  TensorMap golden_;
};

}  // namespace sdx::test
