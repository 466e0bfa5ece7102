// A word that has vectors for one of two text encoders: the other one reads the prompt without it.

#include <ATen/ops/allclose.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>

#include <cmath>

#include "sdx/prompt/prompt.h"
#include "support/temp_folder.h"
#include "support/tiny_bundle.h"
#include "support/two_encoders.h"

#include "support/catch.h"

using sdx::test::tiny_bundle;

namespace {

struct Model {
  sdx::test::TempFolder folder;
  std::unique_ptr<sdx::Tokenizer> tokenizer = tiny_bundle().load_tokenizer();
  int length = tokenizer->special_tokens().max_length;
  sdx::TextEncoders encoders{sdx::test::save_two_encoders(folder.path(), length), at::kCPU};
  sdx::EmbeddingTable table;

  Model() {
    const at::Tensor first = at::full({3, 2}, 3.5F);
    const at::Tensor second = at::full({3, 1}, -0.25F);
    const auto add = [this](const char* name, std::vector<at::Tensor> matrices) {
      table.add({name, sdx::EmbeddingVectors(std::move(matrices)), {}, {}});
    };
    add("First", {first, {}});
    add("Second", {{}, second});
    add("Whole", {first, second});
  }

  sdx::Conditioning encode(const std::vector<std::string>& texts) const {
    std::vector<sdx::TokenizedPrompt> prompts;
    for (const std::string& text : texts) {
      prompts.push_back(sdx::tokenize_prompt(text, *tokenizer, table));
    }
    return sdx::encode_prompts(prompts, *tokenizer, table, encoders, {640, 320});
  }

  /// What each encoder says, [L,2] and [L,1].
  static at::Tensor part(const sdx::Conditioning& of, std::int64_t row, std::size_t encoder) {
    const at::Tensor context = of.context[row];
    return encoder == 0 ? context.slice(1, 0, 2) : context.slice(1, 2, 3);
  }
};

}  // namespace

TEST_CASE("prompt: the encoder that a word does not reach reads the text without it",
          "[prompt][sdxl]") {
  const Model model;
  const auto whole = model.encode({"snow <Whole> robot"});
  const auto without = model.encode({"snow robot"});
  const auto first = model.encode({"snow <First> robot"});
  CHECK(at::equal(Model::part(first, 0, 0), Model::part(whole, 0, 0)));
  CHECK(at::equal(Model::part(first, 0, 1), Model::part(without, 0, 1)));
  // Pooled at the end of the shorter text, too.
  CHECK(std::abs(first.pooled.item<double>() - without.pooled.item<double>()) < 1e-3);
  const auto second = model.encode({"snow <Second> robot"});
  CHECK(at::equal(Model::part(second, 0, 0), Model::part(without, 0, 0)));
  CHECK(at::equal(Model::part(second, 0, 1), Model::part(whole, 0, 1)));
  CHECK(std::abs(second.pooled.item<double>() - whole.pooled.item<double>()) < 1e-3);
}

TEST_CASE("prompt: prompts with such words go through the encoders beside others",
          "[prompt][sdxl]") {
  const Model model;
  const std::vector<std::string> texts = {"snow <Whole> robot", "snow <First> robot <Second>",
                                          "robot", "<First>, <First>"};
  const sdx::Conditioning all = model.encode(texts);
  for (std::size_t row = 0; row < texts.size(); ++row) {
    INFO(texts[row]);
    const sdx::Conditioning alone = model.encode({texts[row]});
    CHECK(at::equal(all.context[static_cast<std::int64_t>(row)], alone.context[0]));
    CHECK(at::equal(all.pooled[static_cast<std::int64_t>(row)], alone.pooled[0]));
  }
}

TEST_CASE("prompt: weights stay with their words where another word is left out",
          "[prompt][sdxl]") {
  const Model model;
  const auto without = model.encode({"snow (robot:1.5)"});
  const auto first = model.encode({"snow <First> (robot:1.5)"});
  CHECK(at::allclose(Model::part(first, 0, 1), Model::part(without, 0, 1)));
  CHECK_FALSE(at::equal(Model::part(first, 0, 1), Model::part(model.encode({"snow robot"}), 0, 1)));
}
