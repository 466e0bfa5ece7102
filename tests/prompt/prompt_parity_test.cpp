// The gradient that textual inversion follows, against autograd through diffusers 0.42.1 and
// transformers 5.23.0 (scripts/parity/make_goldens.py, splice_goldens).

#include <torch/csrc/autograd/autograd.h>

#include "sdx/model/unet.h"
#include "sdx/prompt/prompt.h"
#include "support/tiny_bundle.h"
#include "support/two_chunks.h"

#include "support/catch.h"

using sdx::test::golden;
using sdx::test::tiny_bundle;
using sdx::test::two_chunk_prompt;

TEST_CASE("prompt: the gradient in spliced vectors is that of diffusers, over two chunks") {
  const auto tokenizer = tiny_bundle().load_tokenizer();
  const sdx::TextEncoders encoders(tiny_bundle(), c10::DeviceType::CPU);
  const sdx::UNet unet(tiny_bundle(), {});
  for (const std::string count : {"1", "4"}) {
    INFO(count << " vectors");
    const auto value = [&](const char* key) { return golden().at("splice." + count + "." + key); };
    const at::Tensor vectors = value("vectors").clone().set_requires_grad(true);
    sdx::EmbeddingTable table;
    table.add({"Ada", vectors, {}, {}});
    const auto prompt = sdx::tokenize_prompt(two_chunk_prompt(), *tokenizer, table);
    REQUIRE(prompt.chunks.size() == 2);
    REQUIRE_FALSE(prompt.chunks[0].splices.empty());
    REQUIRE_FALSE(prompt.chunks[1].splices.empty());
    const sdx::Conditioning context =
        sdx::encode_prompts({prompt}, *tokenizer, table, encoders, {});
    const at::Tensor loss =
        (unet.forward(value("sample"), value("timestep"), context) - value("noise")).pow(2).mean();
    const at::Tensor gradient = torch::autograd::grad({loss}, {vectors}).front();
    CHECK(std::abs(loss.item<double>() / value("loss").item<double>() - 1) < 1e-5);
    const double error =
        ((gradient - value("gradient")).norm() / value("gradient").norm()).item<double>();
    INFO("relative difference of the gradient " << error);
    CHECK(error < 1e-4);
  }
}
