// Pipelines saved after textual inversion: the learnt words are embeddings, the rest is the model.

#include "model/import/learnt_words.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>

#include <cmath>

#include "sdx/model/import/import.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "sdx/util/json.h"
#include "support/synthetic.h"
#include "support/temp_folder.h"

#include "support/catch.h"

namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;
using sdx::test::SyntheticModel;
using sdx::test::TempFolder;

namespace {

constexpr std::int64_t kVocabulary = 49'408;
constexpr std::int64_t kWidth = 64;

/// A tiny pipeline whose tokenizer has learnt words.
struct Pipeline {
  Pipeline() { model().write_folder(path(), at::kFloat); }

  static const SyntheticModel& model() {
    static const SyntheticModel made("sd1-tiny");
    return made;
  }

  fs::path path() const { return folder.path() / "pipeline"; }

  /// Adds rows to the text encoder's table, as resize_token_embeddings() does.
  void add_rows(const at::Tensor& rows, bool says_so = true) const {
    const fs::path file = path() / "text_encoder/model.safetensors";
    sdx::TensorMap tensors = model().weights("text_encoder", at::kFloat);
    at::Tensor* table = nullptr;
    for (auto& [name, tensor] : tensors) {
      if (name.ends_with("token_embedding.weight")) table = &tensor;
    }
    REQUIRE(table != nullptr);
    *table = at::cat({*table, rows});
    sdx::write_safetensors(file, tensors);
    const fs::path config_file = path() / "text_encoder/config.json";
    sdx::Json config = sdx::read_json_file(config_file);
    if (says_so) config["vocab_size"] = table->size(0);
    sdx::write_file_atomically(config_file, config.dump());
  }

  void add_tokens_file(const sdx::Json& words) const {
    sdx::write_file_atomically(path() / "tokenizer/added_tokens.json", words.dump());
  }

  sdx::ImportReport import() const {
    sdx::ImportOptions options;
    options.name = "copy";
    options.replace = true;
    return sdx::import_checkpoint(path(), folder.path() / "bundle", options);
  }

  TempFolder folder;
};

at::Tensor make_rows(std::int64_t count) {
  return at::arange(count * kWidth, at::kFloat).reshape({count, kWidth}) / 100;
}

/// What a pipeline without any words gives.
const std::map<std::string, std::string>& plain_hashes() {
  static const auto hashes = Pipeline().import().info.sha256;
  return hashes;
}

}  // namespace

TEST_CASE("model: words of added_tokens.json with their rows are embeddings") {
  const Pipeline pipeline;
  const at::Tensor rows = make_rows(4);
  pipeline.add_rows(rows);
  pipeline.add_tokens_file(
      {{"<cat-toy>_1", 49409}, {"<cat-toy>", 49408}, {"sks", 49410}, {"<cat-toy>_2", 49411}});
  const sdx::ImportReport report = pipeline.import();
  REQUIRE(report.learnt.size() == 2);
  CHECK(at::equal(report.learnt.at("cat-toy").at(0), rows.narrow(0, 0, 2)));
  CHECK(at::equal(report.learnt.at("sks").at(0), rows.narrow(0, 2, 1)));
  // Behind another word it is not the third vector of the first.
  REQUIRE(report.remarks.size() == 1);
  CHECK_THAT(report.remarks.front(), ContainsSubstring("\"<cat-toy>_2\" (id 49411)"));
  // The model is that of the pipeline before.
  CHECK(report.info.sha256 == plain_hashes());
}

TEST_CASE("model: words of tokenizer_config.json are found, and old configs do not mislead") {
  const at::Tensor rows = make_rows(2);
  {
    const Pipeline pipeline;
    pipeline.add_rows(rows);
    const fs::path file = pipeline.path() / "tokenizer/tokenizer_config.json";
    sdx::Json config = fs::exists(file) ? sdx::read_json_file(file) : sdx::Json::object();
    config["added_tokens_decoder"] = {
        {"49406", {{"content", "<|startoftext|>"}, {"special", true}}},
        {"49407", {{"content", "<|endoftext|>"}, {"special", true}}},
        {"49408", {{"content", "<cat-toy>"}, {"special", false}}},
        {"49409", {{"content", "<cat-toy>_1"}, {"special", false}}}};
    sdx::write_file_atomically(file, config.dump());
    pipeline.add_tokens_file({{"<cat-toy>", 49408}, {"<cat-toy>_1", 49409}});  // said twice
    const sdx::ImportReport report = pipeline.import();
    REQUIRE(report.learnt.size() == 1);
    CHECK(at::equal(report.learnt.at("cat-toy").at(0), rows));
    CHECK(report.info.sha256 == plain_hashes());
    fs::remove(pipeline.path() / "tokenizer/added_tokens.json");
    CHECK(at::equal(pipeline.import().learnt.at("cat-toy").at(0), rows));
  }
  const Pipeline pipeline;
  pipeline.add_rows(rows, /*says_so=*/false);  // config.json has the old number
  pipeline.add_tokens_file({{"cat toy", 49408}, {"<dog>", 49409}});
  const sdx::ImportReport report = pipeline.import();
  CHECK(at::equal(report.learnt.at("dog").at(0), rows.narrow(0, 1, 1)));
  CHECK(report.info.sha256 == plain_hashes());
}

TEST_CASE("model: words that cannot be embeddings are left out, and said") {
  const Pipeline pipeline;
  at::Tensor rows = make_rows(2);
  rows[1].fill_(std::nan(""));
  pipeline.add_rows(rows);
  sdx::write_file_atomically(pipeline.path() / "learned_embeds.safetensors", "?");
  pipeline.add_tokens_file(
      {{"<a/b>", 49408}, {"<nan>", 49409}, {"<absent>", 49410}, {"<absent>_1", 49411}});
  const sdx::ImportReport report = pipeline.import();
  CHECK(report.learnt.empty());
  REQUIRE(report.remarks.size() == 3);
  CHECK_THAT(report.remarks[0],
             ContainsSubstring("\"<a/b>\" (id 49408)") && ContainsSubstring("path separator"));
  CHECK_THAT(report.remarks[1],
             ContainsSubstring("\"<nan>\" (id 49409)") && ContainsSubstring("not finite"));
  CHECK_THAT(report.remarks[2], ContainsSubstring("\"<absent>\" (ids 49410, 49411)") &&
                                    ContainsSubstring("has no vector for it") &&
                                    ContainsSubstring("learned_embeds.safetensors beside it"));
}

TEST_CASE("model: words whose text encoder was not saved with them are left out, and said") {
  const Pipeline pipeline;
  pipeline.add_tokens_file({{"<cat-toy>", kVocabulary}});
  const sdx::ImportReport report = pipeline.import();
  CHECK(report.learnt.empty());
  REQUIRE(report.remarks.size() == 1);
  CHECK_THAT(report.remarks.front(),
             ContainsSubstring("\"<cat-toy>\" (id 49408)") && ContainsSubstring("was left out"));
  CHECK(report.info.sha256 == plain_hashes());
}

namespace {

/// A tiny pipeline of SDXL, whose encoders have rows more.
struct XlPipeline {
  XlPipeline() {
    const SyntheticModel model("sdxl-tiny");
    model.write_folder(path(), at::kFloat);
    for (const char* part : {"text_encoder", "text_encoder_2"}) {
      sdx::TensorMap tensors = model.weights(part, at::kFloat);
      for (auto& [name, tensor] : tensors) {
        if (!name.ends_with("token_embedding.weight")) continue;
        rows.push_back(at::arange(3 * tensor.size(1), at::kFloat).reshape({3, -1}) / 100);
        tensor = at::cat({tensor, rows.back()});
      }
      sdx::write_safetensors(path() / part / "model.safetensors", tensors);
    }
  }

  fs::path path() const { return folder.path() / "pipeline"; }

  /// @param words of each tokenizer
  sdx::ImportReport import(const sdx::Json& first, const sdx::Json& second) const {
    sdx::write_file_atomically(path() / "tokenizer/added_tokens.json", first.dump());
    sdx::write_file_atomically(path() / "tokenizer_2/added_tokens.json", second.dump());
    sdx::ImportOptions options;
    options.name = "copy";
    options.replace = true;
    return sdx::import_checkpoint(path(), folder.path() / "bundle", options);
  }

  TempFolder folder;
  std::vector<at::Tensor> rows;  ///< of each text encoder
};

}  // namespace

TEST_CASE("model: words of an SDXL's two tokenizers are embeddings for both text encoders") {
  const XlPipeline pipeline;
  const sdx::Json words = {{"<cat-toy>", 49408}, {"<cat-toy>_1", 49409}, {"sks", 49410}};
  // The second tokenizer has them in another order.
  const sdx::Json turned = {{"sks", 49408}, {"<cat-toy>", 49409}, {"<cat-toy>_1", 49410}};
  const sdx::ImportReport report = pipeline.import(words, turned);
  REQUIRE(report.learnt.size() == 2);
  const auto& toy = report.learnt.at("cat-toy");
  REQUIRE(toy.size() == 2);
  CHECK(at::equal(toy[0], pipeline.rows[0].narrow(0, 0, 2)));
  CHECK(at::equal(toy[1], pipeline.rows[1].narrow(0, 1, 2)));
  CHECK(at::equal(report.learnt.at("sks").at(0), pipeline.rows[0].narrow(0, 2, 1)));
  CHECK(at::equal(report.learnt.at("sks").at(1), pipeline.rows[1].narrow(0, 0, 1)));
  CHECK(report.remarks.empty());
  // The model is that of the pipeline before.
  const TempFolder plain;
  SyntheticModel("sdxl-tiny").write_folder(plain.path() / "plain", at::kFloat);
  sdx::ImportOptions options;
  options.name = "copy";
  CHECK(
      report.info.sha256 ==
      sdx::import_checkpoint(plain.path() / "plain", plain.path() / "bundle", options).info.sha256);
}

TEST_CASE("model: a word that only one of an SDXL's encoders has whole is left out, and said") {
  const XlPipeline pipeline;
  const sdx::ImportReport report =
      pipeline.import({{"<a>", 49408}, {"<b>", 49409}, {"<b>_1", 49410}},
                      {{"<b>", 49408}, {"<c>", 49409}, {"<d>", 49410}});
  CHECK(report.learnt.empty());
  REQUIRE(report.remarks.size() == 4);
  CHECK_THAT(report.remarks[0], ContainsSubstring("\"<a>\" (id 49408)") &&
                                    ContainsSubstring("second tokenizer does not have it"));
  CHECK_THAT(report.remarks[1],
             ContainsSubstring("\"<b>\" (ids 49409, 49410)") &&
                 ContainsSubstring("2 vectors for the first text encoder and 1"));
  CHECK_THAT(report.remarks[2],
             ContainsSubstring("\"<c>\"") && ContainsSubstring("first tokenizer does not have it"));
  CHECK_THAT(report.remarks[3], ContainsSubstring("\"<d>\""));
}
