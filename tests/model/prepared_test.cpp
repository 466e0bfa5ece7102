#include <ATen/core/grad_mode.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/full.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/scaled_dot_product_attention.h>

#include "model/attention.h"
#include "model/packed_weight.h"
#include "sdx/model/unet.h"
#include "sdx/model/vae.h"
#include "sdx/util/error.h"
#include "support/tensors.h"
#include "support/throws.h"
#include "support/tiny_bundle.h"

#include "support/catch.h"

using sdx::ModelUse;
using sdx::PackedWeight;
using sdx::test::noise;
using sdx::test::relative_difference;
using sdx::test::tiny_bundle;

namespace {

struct Inputs {
  Inputs(std::int64_t batch, std::int64_t height, std::int64_t width)
      : sample(noise(1, {batch, 4, height, width})),
        timesteps(at::full({batch}, 500, at::kLong)),
        context(noise(2, {batch, 77, tiny_bundle().info().context_width()})) {}

  at::Tensor run(const sdx::UNet& unet) const { return unet.forward(sample, timesteps, {context}); }

  at::Tensor sample;
  at::Tensor timesteps;
  at::Tensor context;
};

c10::intrusive_ptr<PackedWeight> packed(const at::Tensor& weight) {
  return c10::make_intrusive<PackedWeight>(weight, at::kFloat);
}

}  // namespace

TEST_CASE("model: a UNet for inference computes what the one for training does", "[model]") {
  const at::NoGradGuard no_grad;
  const sdx::UNet training(tiny_bundle(), {}, ModelUse::kTraining);
  const sdx::UNet inference(tiny_bundle(), {}, ModelUse::kInference);
  // The weights are packed for the first size; the others must be right as well.
  for (const Inputs& inputs : {Inputs(2, 16, 16), Inputs(1, 16, 16), Inputs(3, 9, 14)}) {
    const at::Tensor output = inputs.run(inference);
    CHECK(output.is_contiguous());
    CHECK(relative_difference(output, inputs.run(training)) < 2e-6);
  }
}

TEST_CASE("model: a UNet in bfloat16 is near the one in float32", "[model]") {
  const at::NoGradGuard no_grad;
  const Inputs inputs(2, 16, 16);
  const at::Tensor exact = inputs.run(sdx::UNet(tiny_bundle(), {}));
  for (const ModelUse use : {ModelUse::kTraining, ModelUse::kInference}) {
    const sdx::UNet unet(tiny_bundle(), {at::kCPU, at::kBFloat16}, use);
    const double difference = relative_difference(inputs.run(unet), exact);
    CHECK(difference < 0.02);
    CHECK(difference > 1e-4);  // it was bfloat16
  }
}

TEST_CASE("model: a VAE in bfloat16 is near the one in float32", "[model]") {
  const at::NoGradGuard no_grad;
  const at::Tensor latents = noise(3, {1, 4, 8, 12});
  const at::Tensor exact = sdx::VaeDecoder(tiny_bundle(), {}).decode(latents);
  const at::Tensor half = sdx::VaeDecoder(tiny_bundle(), {at::kCPU, at::kBFloat16}).decode(latents);
  CHECK(relative_difference(half, exact) < 0.03);
}

TEST_CASE("model: a UNet for inference says that it has no gradient", "[model]") {
  const sdx::UNet unet(tiny_bundle(), {}, ModelUse::kInference);
  Inputs inputs(1, 8, 8);
  inputs.context.requires_grad_();
  const std::string message =
      sdx::test::catch_message<sdx::InternalError>([&] { inputs.run(unet); });
  CHECK(sdx::test::contains(message, "ModelUse::kInference"));
}

TEST_CASE("model: packed convolutions are convolutions", "[model]") {
  const at::Tensor bias = noise(3, {24});
  for (const std::int64_t kernel : {1, 3}) {
    for (const std::int64_t stride : {1, 2}) {
      const at::Tensor weight = noise(4, {24, 16, kernel, kernel});
      const auto layer = packed(weight);
      for (const std::int64_t side : {8, 31}) {
        const at::Tensor x =
            noise(5, {2, 16, side, side}).contiguous(at::MemoryFormat::ChannelsLast);
        const std::vector<std::int64_t> steps = {stride, stride};
        const std::vector<std::int64_t> padding = {kernel / 2, kernel / 2};
        CHECK(relative_difference(layer->convolve(x, bias, steps, padding, {1, 1}, 1),
                                  at::conv2d(x, weight, bias, steps, padding)) < 1e-6);
      }
    }
  }
}

TEST_CASE("model: packed linear layers are linear layers, and the gate is exact GELU", "[model]") {
  const at::Tensor weight = noise(6, {40, 24});
  const at::Tensor bias = noise(7, {40});
  const auto plain = packed(weight);
  const std::vector<at::Tensor> halves = weight.chunk(2);
  const auto value = packed(halves[0]);
  const auto gate = packed(halves[1]);
  for (const std::int64_t rows : {1, 77}) {
    const at::Tensor x = noise(8, {2, rows, 24});
    const at::Tensor reference = at::linear(x, weight, bias);
    CHECK(relative_difference(plain->linear(x, bias), reference) < 1e-6);
    CHECK(relative_difference(plain->linear(x, std::nullopt), at::linear(x, weight)) < 1e-6);
    const std::vector<at::Tensor> parts = reference.chunk(2, -1);
    CHECK(relative_difference(sdx::gated_linear(x, value, gate, bias),
                              parts[0] * at::gelu(parts[1])) < 1e-6);
  }
}

TEST_CASE("model: attention in bfloat16 is attention", "[model][needs-bfloat16]") {
  if (!sdx::has_bfloat16_attention()) SDX_SKIP("this processor has no bfloat16 instructions");
  const at::NoGradGuard no_grad;
  struct Shape {
    std::int64_t batch, heads, rows, keys, width;
  };
  // Rows, keys and components that fill no register; more rows than a block; more keys than a tile;
  // every number of registers across, an odd width, one row, one key.
  for (const Shape& s : {Shape{2, 3, 20, 77, 8}, Shape{2, 2, 300, 700, 40}, Shape{1, 2, 64, 64, 64},
                         Shape{1, 1, 7, 300, 80}, Shape{1, 1, 13, 10, 41}, Shape{3, 1, 1, 1, 24}}) {
    CAPTURE(s.rows, s.keys, s.width);
    const auto tokens = [&](std::uint64_t seed, std::int64_t count) {
      return noise(seed, {s.batch, count, s.heads, s.width}).to(at::kBFloat16).transpose(1, 2);
    };
    const at::Tensor query = tokens(1, s.rows) * 3;
    const at::Tensor key = tokens(2, s.keys);
    const at::Tensor value = tokens(3, s.keys);
    const at::Tensor exact = at::scaled_dot_product_attention(
        query.to(at::kFloat), key.to(at::kFloat), value.to(at::kFloat));
    const at::Tensor output = sdx::attention(query, key, value);
    CHECK(output.sizes() == exact.sizes());
    CHECK(output.transpose(1, 2).is_contiguous());
    CHECK(relative_difference(output, exact) < 4e-3);
    CHECK(relative_difference(
              sdx::attention(query.contiguous(), key.contiguous(), value.contiguous()), output) ==
          0);
  }
}

TEST_CASE("model: attention in bfloat16 with scores of any size", "[model][needs-bfloat16]") {
  if (!sdx::has_bfloat16_attention()) SDX_SKIP("this processor has no bfloat16 instructions");
  const at::NoGradGuard no_grad;
  const at::Tensor key = noise(2, {1, 1, 100, 16}).to(at::kBFloat16);
  const at::Tensor value = noise(3, {1, 1, 100, 16}).to(at::kBFloat16);
  for (const double size : {0.0, 1e3, 1e6}) {
    const at::Tensor query = (noise(1, {1, 1, 5, 16}) * size).to(at::kBFloat16);
    const at::Tensor exact = at::scaled_dot_product_attention(
        query.to(at::kFloat), key.to(at::kFloat), value.to(at::kFloat));
    CHECK(relative_difference(sdx::attention(query, key, value), exact) < 4e-3);
  }
}
