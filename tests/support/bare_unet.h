#pragma once

#include <torch/script.h>

#include "sdx/model/bundle.h"
#include "sdx/model/unet.h"
#include "support/temp_folder.h"
#include "support/tiny_bundle.h"

namespace sdx::test {

/// A UNet of the tiny model's sizes whose program has `forward` alone, which gives its sample back.
struct BareUNet {
  TempFolder folder;
  UNet unet = [this] {
    torch::jit::Module program("unet");
    program.define(
        "def forward(self, sample: Tensor, timestep: Tensor, context: Tensor) -> Tensor:\n"
        "    return sample\n");
    program.save((folder.path() / "unet.ts").string());
    write_bundle_info(folder.path(), tiny_bundle().info());
    return UNet(Bundle::open(folder.path()), {});
  }();
};

}  // namespace sdx::test
