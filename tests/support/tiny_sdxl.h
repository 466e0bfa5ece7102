#pragma once

#include "sdx/model/bundle.h"
#include "sdx/model/import/import.h"
#include "support/synthetic.h"
#include "support/temp_folder.h"

namespace sdx::test {

/// The bundle of the tiny SDXL of synthetic weights, imported once for all tests of a process.
inline const Bundle& tiny_sdxl() {
  static const TempFolder folder;
  static const Bundle bundle = [] {
    const std::filesystem::path checkpoint = folder.path() / "diffusers";
    SyntheticModel("sdxl-tiny").write_folder(checkpoint, at::kFloat);
    ImportOptions options;
    options.name = "sdxl-tiny";
    import_checkpoint(checkpoint, folder.path() / "tiny", options);
    std::filesystem::remove_all(checkpoint);
    return Bundle::open(folder.path() / "tiny");
  }();
  return bundle;
}

/// What the pipeline and autograd make of it as a whole (scripts/parity/make_sdxl_goldens.py).
inline const TensorMap& sdxl_golden() {
  static const Safetensors content =
      map_safetensors(std::filesystem::path(SDX_TEST_DATA) / "layouts/sdxl-tiny-whole.safetensors");
  return content.tensors;
}

}  // namespace sdx::test
