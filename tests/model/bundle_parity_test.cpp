// Every part against diffusers 0.42.1 and transformers 5.23.0, float32, on the tiny checkpoint.

#include <torch/csrc/autograd/autograd.h>

#include "sdx/model/text_encoder.h"
#include "sdx/model/unet.h"
#include "sdx/model/vae.h"
#include "support/tiny_bundle.h"

#include "support/catch.h"

using sdx::test::golden;
using sdx::test::max_difference;
using sdx::test::tiny_bundle;

namespace {

constexpr double kBound = 1e-4;
const sdx::ComputeTarget kCpu;

}  // namespace

TEST_CASE("model: the text encoder computes what transformers computes", "[model]") {
  const sdx::TextEncoder encoder(tiny_bundle(), kCpu.device);
  const at::Tensor embedded = encoder.embed(golden().at("text.ids"));
  for (int skip = 0; skip < 3; ++skip) {
    INFO("layers left out " << skip);
    CHECK(max_difference(encoder.encode(embedded, skip),
                         golden().at("text.out." + std::to_string(skip))) < kBound);
  }
}

TEST_CASE("model: the UNet and its gradient are those of diffusers, at any size", "[model]") {
  const sdx::UNet unet(tiny_bundle(), kCpu);
  for (const std::string name : {"square", "wide", "odd"}) {
    INFO(name);
    const auto value = [&](const char* key) { return golden().at("unet." + name + "." + key); };
    const at::Tensor context = value("context").clone().set_requires_grad(true);
    const at::Tensor output = unet.forward(value("sample"), value("timestep"), {context});
    CHECK(max_difference(output, value("out")) < kBound);
    const auto gradient =
        torch::autograd::grad({(output * value("weight")).sum()}, {context}).front();
    CHECK(max_difference(gradient, value("context_gradient")) < kBound);
  }
}

TEST_CASE("model: the VAE encodes and decodes as diffusers does", "[model]") {
  const double scale = tiny_bundle().info().latent_scale;
  const sdx::VaeEncoder encoder(tiny_bundle(), kCpu);
  const auto moments = golden().at("vae.moments").chunk(2, 1);
  const sdx::LatentDistribution found = encoder.encode(golden().at("vae.image"));
  CHECK(max_difference(found.mean, moments[0] * scale) < kBound);
  CHECK(max_difference(found.deviation, (moments[1] * 0.5).exp() * scale) < kBound);

  const sdx::VaeDecoder decoder(tiny_bundle(), kCpu);
  CHECK(max_difference(decoder.decode(golden().at("vae.latents") * scale),
                       golden().at("vae.decoded")) < kBound);
}
