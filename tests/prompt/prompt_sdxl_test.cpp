// The gradient that textual inversion follows in SDXL, in the vectors of both text encoders,
// against autograd through diffusers 0.42.1 and transformers 5.23.0
// (scripts/parity/make_sdxl_goldens.py).

#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <torch/csrc/autograd/autograd.h>

#include "sdx/model/unet.h"
#include "sdx/prompt/prompt.h"
#include "support/tiny_sdxl.h"
#include "support/two_chunks.h"

#include "support/catch.h"

using sdx::test::sdxl_golden;
using sdx::test::synthetic_noise;
using sdx::test::tiny_sdxl;
using sdx::test::two_chunk_prompt;

TEST_CASE("prompt: the gradient in both encoders' vectors is that of diffusers") {
  const auto tokenizer = tiny_sdxl().load_tokenizer();
  const sdx::TextEncoders encoders(tiny_sdxl(), c10::DeviceType::CPU);
  const sdx::UNet unet(tiny_sdxl(), {});
  const at::Tensor sample = synthetic_noise("splice.sample", {1, 4, 8, 9});
  const at::Tensor noise = synthetic_noise("splice.noise", {1, 4, 8, 9});
  // A crop, so that each of the six numbers is another one.
  const sdx::ImagePlace place({80, 96}, 3, 5, {72, 64});
  for (const std::int64_t count : {1, 4}) {
    INFO(count << " vectors");
    const std::string key = "splice." + std::to_string(count) + ".";
    std::vector<at::Tensor> vectors;
    for (const sdx::TextEncoderInfo& encoder : tiny_sdxl().info().text_encoders) {
      const std::string name = encoder.part + ".vectors." + std::to_string(count);
      vectors.push_back(
          (synthetic_noise(name, {count, encoder.width}) * 0.3).set_requires_grad(true));
    }
    sdx::EmbeddingTable table;
    table.add({"Ada", sdx::EmbeddingVectors(vectors), {}, {}});
    const auto prompt = sdx::tokenize_prompt(two_chunk_prompt(), *tokenizer, table);
    REQUIRE(prompt.chunks.size() == 2);
    REQUIRE_FALSE(prompt.chunks[0].splices.empty());
    REQUIRE_FALSE(prompt.chunks[1].splices.empty());
    const sdx::Conditioning conditioning =
        sdx::encode_prompts({prompt}, *tokenizer, table, encoders, place);
    CHECK(at::equal(conditioning.size_ids, sdxl_golden().at("splice.size_ids")));
    const at::Tensor predicted = unet.forward(sample, at::full({1}, 421, at::kLong), conditioning);
    const at::Tensor loss = (predicted - noise).pow(2).mean();
    const std::vector<at::Tensor> gradients = torch::autograd::grad({loss}, vectors);
    const auto expected_loss = sdxl_golden().at(key + "loss").item<double>();
    CHECK(std::abs(loss.item<double>() / expected_loss - 1) < 1e-5);
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      const std::string& part = tiny_sdxl().info().text_encoders[i].part;
      const at::Tensor& expected = sdxl_golden().at(key + part);
      const double error = ((gradients[i] - expected).norm() / expected.norm()).item<double>();
      INFO(part << ": relative difference of the gradient " << error);
      CHECK(error < 1e-4);
    }
  }
}
