#include "generation/own_parts.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>

#include <filesystem>

#include "sdx/util/error.h"
#include "support/lora_files.h"
#include "support/synthetic.h"
#include "support/tiny_bundle.h"

#include "support/catch.h"

using namespace sdx;
using test::applied;
namespace fs = std::filesystem;

namespace {

at::Tensor run(const UNet& unet) {
  return unet.forward(test::synthetic_noise("lora.sample", {1, 4, 8, 8}),
                      at::full({1}, 421, at::kLong),
                      {test::synthetic_noise("lora.context", {1, 77, 32})});
}

}  // namespace

TEST_CASE("generation: parts are loaded anew when other LoRAs are wanted, and only then") {
  const at::NoGradGuard no_grad;
  OwnParts parts(test::tiny_bundle(), {});
  const UNet& unet = parts.unet();
  const at::Tensor plain = run(unet);
  CHECK_FALSE(parts.apply({}));
  const AppliedLoras style = {applied("sd1-kohya", 0.8)};
  CHECK(parts.apply(style));
  CHECK_FALSE(parts.apply(style));
  const at::Tensor styled = run(unet);  // the same object
  CHECK_FALSE(at::equal(styled, plain));
  CHECK(parts.apply({}));
  CHECK(at::equal(run(unet), plain));
}

TEST_CASE("generation: a UNet that could not be loaded is loaded at the next wish") {
  const at::NoGradGuard no_grad;
  const test::TempFolder folder;
  const fs::path copy = folder.path() / "tiny";
  fs::copy(test::tiny_bundle().folder(), copy, fs::copy_options::recursive);
  ChangingUNet unet(Bundle::open(copy), {});
  const at::Tensor plain = run(unet.get());
  const AppliedLoras style = {applied("sd1-kohya", 0.8)};
  fs::rename(copy / "unet.ts", copy / "away");
  CHECK_THROWS_AS(unet.apply(style), Error);
  fs::rename(copy / "away", copy / "unet.ts");
  unet.apply({});
  CHECK(at::equal(run(unet.get()), plain));
  unet.apply(style);
  CHECK_FALSE(at::equal(run(unet.get()), plain));
}
