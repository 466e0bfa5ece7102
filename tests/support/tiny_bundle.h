#pragma once

#include <filesystem>

#include "sdx/model/bundle.h"
#include "sdx/model/import/import.h"
#include "sdx/tensor/safetensors.h"
#include "support/temp_folder.h"

namespace sdx::test {

/// A checkpoint of random weights, made with diffusers by scripts/parity/make_goldens.py.
inline std::filesystem::path tiny_checkpoint() {
  return std::filesystem::path(SDX_TEST_DATA) / "tiny";
}

/// What diffusers and transformers compute with it; their versions are in the file's metadata.
inline const TensorMap& golden() {
  static const Safetensors content =
      map_safetensors(std::filesystem::path(SDX_TEST_DATA) / "golden.safetensors");
  return content.tensors;
}

/// The bundle of the tiny checkpoint, imported once for all tests of a process.
inline const Bundle& tiny_bundle() {
  static const TempFolder folder;
  static const Bundle bundle = [] {
    ImportOptions options;
    options.name = "tiny";
    import_checkpoint(tiny_checkpoint(), folder.path() / "tiny", options);
    return Bundle::open(folder.path() / "tiny");
  }();
  return bundle;
}

/// The largest difference of two tensors.
inline double max_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

}  // namespace sdx::test
