#include <ATen/core/grad_mode.h>

#include "sdx/prompt/prompt.h"
#include "support/tiny_bundle.h"

#include "support/catch.h"

using sdx::test::tiny_bundle;

TEST_CASE("prompt: weighted conditioning is what transformers' outputs give by the formula",
          "[prompt]") {
  const at::NoGradGuard no_grad;
  const auto golden =
      sdx::map_safetensors(std::filesystem::path(SDX_TEST_DATA) / "prompts.safetensors").tensors;
  const auto tokenizer = tiny_bundle().load_tokenizer();
  const sdx::TextEncoders encoders(tiny_bundle(), at::kCPU);
  int compared = 0;
  for (const auto& [key, expected] : golden) {
    if (key.find('.') != std::string::npos) continue;
    const at::Tensor letters = golden.at(key + ".prompt").contiguous();
    const std::string prompt(reinterpret_cast<const char*>(letters.data_ptr()),
                             static_cast<std::size_t>(letters.numel()));
    INFO(key << ": " << prompt);
    const int clip_skip = golden.at(key + ".clip_skip").item<int>();
    const at::Tensor context =
        sdx::encode_prompts({sdx::tokenize_prompt(prompt, *tokenizer, {}, sdx::Grammar::kA1111)},
                            *tokenizer, {}, encoders, {}, clip_skip - 1)
            .context;
    const at::Tensor kept = context.slice(2, 0, std::nullopt, 4);
    REQUIRE(kept.sizes() == expected.sizes());
    CHECK(sdx::test::max_difference(kept, expected) < 1e-4);
    ++compared;
  }
  CHECK(compared == 20);
}
