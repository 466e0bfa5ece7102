#include "sdx/prompt/prompt.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include "sdx/prompt/prompt_cache.h"
#include "sdx/prompt/prompt_list.h"
#include "sdx/util/error.h"
#include "support/tiny_bundle.h"
#include "support/two_encoders.h"

#include "support/catch.h"

using Catch::Matchers::ContainsSubstring;
using sdx::test::tiny_bundle;

namespace {

constexpr std::int64_t kWidth = 32;

sdx::EmbeddingTable table_with(const std::string& name, int vectors, float value = 0.5F) {
  sdx::EmbeddingTable table;
  table.add({name, at::full({vectors, kWidth}, value), {}, {}});
  return table;
}

}  // namespace

TEST_CASE("prompt: placeholders are found as they are written", "[prompt]") {
  using Names = std::vector<std::string>;
  CHECK(sdx::placeholder_names("<Ada> and <Böb-2>, <Ada>") == Names{"Ada", "Böb-2"});
  CHECK(sdx::placeholder_names("I <3 you, a < b > c, <> <two words> <open") == Names{});
  CHECK(sdx::placeholder_names("<<Ada>>") == Names{"Ada"});
}

TEST_CASE("prompt: a known name may have anything but < and > in it", "[prompt]") {
  using Names = std::vector<std::string>;
  sdx::EmbeddingTable table = table_with("By bad artist -neg", 1);
  table.add({"Easy (1)", at::full({1, kWidth}, 1.0F), {}, {}});
  table.add({"Zoe\u0308", at::full({1, kWidth}, 1.0F), {}, {}});
  CHECK(sdx::placeholder_names("<By bad artist -neg>, <Easy \\(1\\)> <two words>", table) ==
        Names{"By bad artist -neg", "Easy (1)"});
  CHECK(sdx::placeholder_names("<Zo\u00EB> <Zoe\u0308>", table) == Names{"Zo\u00EB"});
  CHECK(sdx::placeholder_names("<a <Easy (1)> b>", table) == Names{"Easy (1)"});
  CHECK(sdx::bracket_bare_names("Easy (1), By bad artist -neg; Zo\u00EB (Zoe\u0308:1.2) Zoe",
                                table) ==
        "<Easy (1)>, <By bad artist -neg>; <Zo\u00EB> (<Zoe\u0308>:1.2) Zoe");
  const auto tokenizer = tiny_bundle().load_tokenizer();
  for (const sdx::Grammar grammar : {sdx::Grammar::kA1111, sdx::Grammar::kPlain}) {
    const auto prompt = sdx::tokenize_prompt("robot <Easy (1)>", *tokenizer, table, grammar);
    CHECK(prompt.embeddings == Names{"Easy (1)"});
    const auto plain = sdx::tokenize_prompt("robot ", *tokenizer, table, grammar);
    CHECK(prompt.chunks[0].token_count == plain.chunks[0].token_count + 1);
  }
}

TEST_CASE("prompt: a cache knows names of embeddings apart", "[prompt]") {
  sdx::PromptCache cache;
  const std::string text = "<two words> (robot:1.2)";
  const sdx::EmbeddingSizes known(std::map<std::string, int>{{"two words", 1}});
  const auto segments = [&](const sdx::EmbeddingSizes& names) {
    return cache.parts(text, sdx::Grammar::kA1111, sdx::PromptRole::kPositive, {10, 0}, names)
        ->front()
        .stages.front()
        .prompt.segments;
  };
  CHECK(segments({}).front().text == "<two words> ");
  CHECK(segments(known).front() == sdx::PromptSegment{"two words", 1, false, true});
  CHECK(segments({}).front().text == "<two words> ");
  CHECK(cache.parsed() == 2);
}

TEST_CASE("prompt: special tokens in a text are text, unless an embedding is called so",
          "[prompt]") {
  using Names = std::vector<std::string>;
  CHECK(sdx::placeholder_names(
            "<s> </s> <pad> <unk> <|endoftext|> <|STARTOFTEXT|> <start_of_text>") == Names{});
  CHECK(sdx::placeholder_names("<S> <|end|> <s1>") == Names{"S", "|end|", "s1"});
  CHECK(sdx::placeholder_names("<s> </s>", table_with("s", 1)) == Names{"s"});
  const auto clip = sdx::load_tokenizer(std::filesystem::path(SDX_SHARE_DIR) / "tokenizers/clip",
                                        sdx::clip_settings(sdx::ClipPadding::kEndOfText));
  const auto prompt = sdx::tokenize_prompt("robot <|endoftext|> cat", *clip, {});
  CHECK(std::vector(prompt.chunks[0].ids.begin(), prompt.chunks[0].ids.begin() + 5) ==
        std::vector<std::int64_t>{49406, 8797, 49407, 2368, 49407});
}

TEST_CASE("prompt: a chunk is begin, tokens, end, padding", "[prompt]") {
  const auto tokenizer = tiny_bundle().load_tokenizer();
  const auto prompt =
      sdx::tokenize_prompt("a photo of <Ada> smiling", *tokenizer, table_with("Ada", 2));
  REQUIRE(prompt.chunks.size() == 1);
  const sdx::PromptChunk& chunk = prompt.chunks.front();
  std::vector<std::int64_t> expected = {1};
  for (const auto id : tokenizer->encode("a photo of ")) expected.push_back(id);
  const auto first_vector = static_cast<int>(expected.size());
  expected.insert(expected.end(), {2, 2});
  for (const auto id : tokenizer->encode(" smiling")) expected.push_back(id);
  expected.resize(77, 2);
  CHECK(chunk.ids == expected);
  REQUIRE(chunk.splices.size() == 2);
  CHECK(chunk.splices[0].position == first_vector);
  CHECK(chunk.splices[1].position == first_vector + 1);
  CHECK(chunk.splices[1].row == 1);
  CHECK(prompt.embeddings.at(chunk.splices[1].embedding) == "Ada");
}

TEST_CASE("prompt: without a begin token a chunk begins with the text", "[prompt]") {
  const auto tokenizer =
      sdx::load_tokenizer(std::filesystem::path(SDX_TEST_DATA) / "tokenizer/t5.model");
  const auto prompt = sdx::tokenize_prompt("<Ada> a robot", *tokenizer, table_with("Ada", 1));
  REQUIRE(prompt.chunks.size() == 1);
  std::vector<std::int64_t> expected = {0};
  for (const auto id : tokenizer->encode(" a robot")) expected.push_back(id);
  expected.push_back(1);
  expected.resize(77, 0);
  CHECK(prompt.chunks[0].ids == expected);
  CHECK(prompt.chunks[0].splices.front().position == 0);
}

TEST_CASE("prompt: an embedding is never split over two chunks", "[prompt]") {
  const auto tokenizer = tiny_bundle().load_tokenizer();
  const std::size_t word_tokens = tokenizer->encode("robot").size();
  REQUIRE(word_tokens == 1);
  std::string text;
  for (int i = 0; i < 73; ++i) text += "robot ";
  const auto prompt = sdx::tokenize_prompt(text + "<Ada> snow", *tokenizer, table_with("Ada", 3));
  REQUIRE(prompt.chunks.size() == 2);
  CHECK(prompt.chunks[0].token_count == 73);
  CHECK(prompt.chunks[0].splices.empty());
  CHECK(prompt.chunks[1].splices.front().position == 1);
  CHECK(prompt.chunks[1].token_count == 4);
  CHECK(prompt.chunks[0].ids.size() == 77);
}

TEST_CASE("prompt: the mission's prompts work as written", "[prompt]") {
  const auto tokenizer = tiny_bundle().load_tokenizer();
  const auto prompts =
      sdx::read_prompt_file(std::string(SDX_SOURCE_DIR) + "/configs/prompts/statcrew.txt");
  REQUIRE(prompts.size() == 8);
  for (const std::string& text : sdx::fill_names(prompts, {"Markus"})) {
    INFO(text);
    const auto prompt = sdx::tokenize_prompt(text, *tokenizer, table_with("Markus", 2));
    std::size_t splices = 0;
    for (const auto& chunk : prompt.chunks) splices += chunk.splices.size();
    std::size_t mentions = 0;
    for (auto at = text.find("<Markus>"); at != std::string::npos;
         at = text.find("<Markus>", at + 1)) {
      ++mentions;
    }
    CHECK(mentions >= 1);
    CHECK(splices == 2 * mentions);
  }
}

TEST_CASE("prompt: an unknown name is a usage error with the nearest ones", "[prompt]") {
  const auto tokenizer = tiny_bundle().load_tokenizer();
  try {
    sdx::tokenize_prompt("<Jon>", *tokenizer, table_with("John", 1));
    FAIL("accepted");
  } catch (const sdx::UsageError& error) {
    CHECK_THAT(error.what(), ContainsSubstring("<John>"));
  }
}

TEST_CASE("prompt: tokenising needs names and counts, no vectors", "[prompt]") {
  const auto tokenizer = tiny_bundle().load_tokenizer();
  const sdx::EmbeddingSizes sizes(std::map<std::string, int>{{"Ada", 2}, {"Ben", 1}});
  const auto prompt = sdx::tokenize_prompt("<Ben>, <Ada>, <Ben>", *tokenizer, sizes);
  CHECK(prompt.embeddings == std::vector<std::string>{"Ben", "Ada"});
  std::vector<std::pair<std::size_t, int>> rows;
  for (const sdx::Splice& splice : prompt.chunks.front().splices) {
    rows.push_back({splice.embedding, splice.row});
  }
  CHECK(rows == std::vector<std::pair<std::size_t, int>>{{0, 0}, {1, 0}, {1, 1}, {0, 0}});
}

TEST_CASE("prompt: two prompts may mean different vectors by one name", "[prompt]") {
  const auto tokenizer = tiny_bundle().load_tokenizer();
  const sdx::TextEncoders encoders(tiny_bundle(), c10::DeviceType::CPU);
  const auto prompt = sdx::tokenize_prompt("a photo of <Ada>", *tokenizer, table_with("Ada", 2));
  const at::Tensor some = at::arange(2 * kWidth, at::kFloat).reshape({2, kWidth}).sin();
  const at::Tensor others = some.cos();
  const at::Tensor both =
      sdx::encode_prompts({{prompt, {some}}, {prompt, {others}}}, *tokenizer, encoders, {}).context;
  const auto alone = [&](const at::Tensor& vectors) {
    sdx::EmbeddingTable table;
    table.add({"Ada", vectors, {}, {}});
    return sdx::encode_prompts({prompt}, *tokenizer, table, encoders, {}).context;
  };
  CHECK(sdx::test::max_difference(both.narrow(0, 0, 1), alone(some)) < 1e-5);
  CHECK(sdx::test::max_difference(both.narrow(0, 1, 1), alone(others)) < 1e-5);
  CHECK(sdx::test::max_difference(alone(some), alone(others)) > 1e-3);
}

TEST_CASE("prompt: an embedding larger than a chunk is refused", "[prompt]") {
  const auto tokenizer = tiny_bundle().load_tokenizer();
  CHECK_THROWS_AS(sdx::tokenize_prompt("<Ada>", *tokenizer, table_with("Ada", 76)), sdx::DataError);
}

TEST_CASE("prompt: spliced vectors of a word give what the word gives", "[prompt]") {
  const auto tokenizer = tiny_bundle().load_tokenizer();
  const sdx::TextEncoders encoders(tiny_bundle(), c10::DeviceType::CPU);
  const auto id = *tokenizer->whole_word("robot");
  sdx::EmbeddingTable table;
  table.add({"Robo", encoders.front().embed(at::full({1, 1}, id, at::kLong)).squeeze(0), {}, {}});
  const auto encode = [&](const std::string& text) {
    return sdx::encode_prompts({sdx::tokenize_prompt(text, *tokenizer, table)}, *tokenizer, table,
                               encoders, {})
        .context;
  };
  CHECK(sdx::test::max_difference(encode("a <Robo>"), encode("a robot")) == 0);
  CHECK(sdx::test::max_difference(encode("a <Robo>"), encode("a snow")) > 1e-3);
}

TEST_CASE("prompt: shorter prompts of a batch are filled up with empty chunks", "[prompt]") {
  const auto tokenizer = tiny_bundle().load_tokenizer();
  const sdx::TextEncoders encoders(tiny_bundle(), c10::DeviceType::CPU);
  const sdx::EmbeddingTable none;
  std::string long_text;
  for (int i = 0; i < 80; ++i) long_text += "snow ";
  const auto tokenized = [&](const std::string& text) {
    return sdx::tokenize_prompt(text, *tokenizer, none);
  };
  const at::Tensor both = sdx::encode_prompts({tokenized("a robot"), tokenized(long_text)},
                                              *tokenizer, none, encoders, {})
                              .context;
  CHECK(both.sizes() == at::IntArrayRef({2, 154, kWidth}));
  const at::Tensor expected =
      at::cat({sdx::encode_prompts({tokenized("a robot")}, *tokenizer, none, encoders, {}).context,
               sdx::encode_prompts({tokenized("")}, *tokenizer, none, encoders, {}).context},
              1);
  CHECK(sdx::test::max_difference(both.narrow(0, 0, 1), expected) < 1e-5);
}

TEST_CASE("prompt: an embedding of another model is refused by its width", "[prompt]") {
  const auto tokenizer = tiny_bundle().load_tokenizer();
  const sdx::TextEncoders encoders(tiny_bundle(), c10::DeviceType::CPU);
  sdx::EmbeddingTable table;
  table.add({"Ada", at::full({1, 768}, 0.1), {}, {}});
  CHECK_THROWS_AS(sdx::encode_prompts({sdx::tokenize_prompt("<Ada>", *tokenizer, table)},
                                      *tokenizer, table, encoders, {}),
                  sdx::DataError);
}

TEST_CASE("prompt: each text encoder gets its own vectors, padding and weights", "[prompt]") {
  const sdx::test::TempFolder folder;
  const auto tokenizer = tiny_bundle().load_tokenizer();
  const int length = tokenizer->special_tokens().max_length;
  const sdx::TextEncoders encoders(sdx::test::save_two_encoders(folder.path(), length), at::kCPU);
  sdx::EmbeddingTable table;
  table.add({"Ada",
             sdx::EmbeddingVectors(std::vector{at::full({1, 2}, 3.5F), at::full({1, 1}, -0.25F)}),
             {},
             {}});
  const auto prompt = sdx::tokenize_prompt("snow <Ada>", *tokenizer, table);
  const sdx::PromptChunk& chunk = prompt.chunks.front();
  const sdx::Conditioning found =
      sdx::encode_prompts({prompt}, *tokenizer, table, encoders, {640, 320});
  CHECK(found.context.sizes() == at::IntArrayRef({1, length, 3}));
  CHECK(at::equal(found.context[0][chunk.splices.front().position],
                  at::tensor({3.5F, 3.5F, -0.25F})));
  // The end, and behind it the tokenizer's padding in the first encoder and 0 in the second.
  const auto& special = tokenizer->special_tokens();
  const int end = chunk.splices.front().position + 1;
  CHECK(found.context[0][end][2].item<double>() == -static_cast<double>(special.end));
  CHECK(found.context[0][end + 1][0].item<double>() == static_cast<double>(special.pad));
  CHECK(found.context[0][end + 1][2].item<double>() == 0);
  CHECK(found.context[0][length - 1][2].item<double>() == 0);
  const double sum = found.context.select(2, 2).sum().item<double>();
  CHECK(std::abs(found.pooled.item<double>() - (100 * end - sum)) < 1e-3);
  CHECK(at::equal(found.size_ids, sdx::make_size_ids({640, 320}, 1)));
  table.add({"Ben", at::full({1, 2}, 1.0F), {}, {}});
  CHECK_THROWS_AS(sdx::encode_prompts({sdx::tokenize_prompt("<Ben>", *tokenizer, table)},
                                      *tokenizer, table, encoders, {640, 320}),
                  sdx::DataError);
}

TEST_CASE("prompt: bare names are whole words, the longest first", "[prompt]") {
  sdx::EmbeddingTable table = table_with("Ada", 1);
  table.add({"Ada-2", at::zeros({1, kWidth}), {}, {}});
  const auto bracketed = [&](const std::string& text) {
    return sdx::bracket_bare_names(text, table);
  };
  CHECK(bracketed("Ada, Ada-2 and <Ada>") == "<Ada>, <Ada-2> and <Ada>");
  CHECK(bracketed("Adam ada xAda Ada_ (Ada:1.2)") == "Adam ada xAda Ada_ (<Ada>:1.2)");
  CHECK(bracketed("") == "");
}
