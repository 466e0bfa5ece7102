#include "sdx/embedding/embedding_writer.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>

#include <limits>

#include "sdx/embedding/embedding_reader.h"
#include "sdx/tensor/safetensors.h"
#include "sdx/tensor/torch_file.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "sdx/util/sha256.h"
#include "support/temp_folder.h"

#include "support/catch.h"

using Catch::Matchers::ContainsSubstring;
using sdx::EmbeddingDialect;
using sdx::test::TempFolder;
namespace fs = std::filesystem;

namespace {

constexpr EmbeddingDialect kAll[] = {EmbeddingDialect::kDiffusers, EmbeddingDialect::kA1111,
                                     EmbeddingDialect::kKohya};

sdx::Embedding ada(std::int64_t width = 4) {
  const at::Tensor vectors = at::arange(3 * width, at::kFloat).reshape({3, width}) / 7;
  return {"Ada",
          vectors,
          {{"sdx.steps", "250"},
           {"sdx.model", "sd15"},
           {"sdx.model_hash", "cc6cb27103"},
           {"ss_output_dir", "/home/somebody"}},
          {}};
}

}  // namespace

TEST_CASE("embedding: a file comes back as it was written, in every form", "[embedding]") {
  const TempFolder folder;
  for (const EmbeddingDialect dialect : kAll) {
    const auto file = folder.path() / ("Ada" + std::string(find_extension(dialect)));
    INFO(to_string(dialect));
    sdx::write_embedding(file, ada(), dialect);
    const sdx::Embedding back = sdx::read_embedding(file);
    CHECK(back.name == "Ada");
    CHECK(at::equal(back.vectors, ada().vectors));
    CHECK(sdx::test::entries_in(folder.path()) == 1);
    CHECK_THAT(sdx::read_file(file), !ContainsSubstring("somebody"));
    fs::remove(file);
  }
}

TEST_CASE("embedding: our form is one tensor named as the placeholder", "[embedding]") {
  const TempFolder folder;
  const auto file = folder.path() / "x.safetensors";
  sdx::write_embedding(file, ada());
  const sdx::Safetensors written = sdx::map_safetensors(file);
  CHECK(written.tensors.size() == 1);
  CHECK(written.tensors.begin()->first == "<Ada>");
  CHECK(written.metadata == std::map<std::string, std::string>{{"format", "pt"},
                                                               {"sdx.model", "sd15"},
                                                               {"sdx.model_hash", "cc6cb27103"},
                                                               {"sdx.steps", "250"}});
}

TEST_CASE("embedding: AUTOMATIC1111's form holds what its own files hold", "[embedding]") {
  const TempFolder folder;
  const auto file = folder.path() / "Ada.pt";
  sdx::write_embedding(file, ada(), EmbeddingDialect::kA1111);
  const sdx::PickleValue root = sdx::read_torch_file(file);
  std::vector<std::string> keys;
  for (const auto& [key, value] : *root.dict()) keys.push_back(*key.text());
  CHECK(keys == std::vector<std::string>{"string_to_token", "string_to_param", "name", "step",
                                         "sd_checkpoint", "sd_checkpoint_name"});
  CHECK(*root.find("string_to_token")->find("*")->integer() == 265);
  CHECK(*root.find("name")->text() == "Ada");
  CHECK(*root.find("step")->integer() == 250);
  CHECK(*root.find("sd_checkpoint")->text() == "cc6cb27103");

  sdx::Embedding bare = ada();
  bare.metadata = {{"step", "many"}};
  sdx::write_embedding(file, bare, EmbeddingDialect::kA1111);
  CHECK(sdx::read_torch_file(file).find("step")->is_none());
  CHECK(sdx::read_torch_file(file).find("sd_checkpoint")->is_none());
}

// These bytes were loaded by torch.load(weights_only=True) of torch 2.13.0 and, as a file, by
// load_textual_inversion of diffusers 0.42.1 (scripts/parity/check_embedding.py): the same vectors.
TEST_CASE("embedding: AUTOMATIC1111's form has the bytes that PyTorch was seen to load",
          "[embedding]") {
  const TempFolder folder;
  const auto file = folder.path() / "Ada.pt";
  sdx::write_embedding(file, ada(), EmbeddingDialect::kA1111);
  CHECK(sdx::sha256_of_file(file) ==
        "0dca73490a6fb1e21f3e93c4c8687d4bf84aa83a6532d41f46ddfcdde2ba6364");
}

TEST_CASE("embedding: kohya's form says what model it is for", "[embedding]") {
  const TempFolder folder;
  const auto metadata = [&](std::int64_t width) {
    const auto file = folder.path() / "Ada.safetensors";
    sdx::write_embedding(file, ada(width), EmbeddingDialect::kKohya);
    const sdx::Safetensors written = sdx::map_safetensors(file);
    CHECK(written.tensors.begin()->first == "emb_params");
    return written.metadata;
  };
  const auto sd1 = metadata(768);
  CHECK(sd1.at("modelspec.sai_model_spec") == "1.0.0");
  CHECK(sd1.at("modelspec.architecture") == "stable-diffusion-v1/textual-inversion");
  CHECK(sd1.at("modelspec.title") == "Ada");
  CHECK(sd1.at("modelspec.resolution") == "512x512");
  CHECK(sd1.at("modelspec.prediction_type") == "epsilon");
  CHECK_FALSE(sd1.contains("modelspec.date"));
  CHECK(metadata(1024).at("modelspec.architecture") ==
        "stable-diffusion-v2-768-v/textual-inversion");
  CHECK_FALSE(metadata(32).contains("modelspec.architecture"));
}

TEST_CASE("embedding: what modelspec says of a file goes along", "[embedding]") {
  const TempFolder folder;
  sdx::Embedding word = ada(1024);
  word.metadata = {{"modelspec.architecture", "stable-diffusion-v2-512/textual-inversion"},
                   {"modelspec.license", "CC-BY-4.0"},
                   {"step", "1000"}};
  const auto file = folder.path() / "Ada.safetensors";
  for (const EmbeddingDialect dialect : {EmbeddingDialect::kKohya, EmbeddingDialect::kDiffusers}) {
    sdx::write_embedding(file, word, dialect);
    const auto metadata = sdx::map_safetensors(file).metadata;
    CHECK(metadata.at("modelspec.architecture") == "stable-diffusion-v2-512/textual-inversion");
    CHECK(metadata.at("modelspec.license") == "CC-BY-4.0");
    CHECK(metadata.at("sdx.steps") == "1000");
  }
}

TEST_CASE("embedding: the same embedding gives the same bytes", "[embedding]") {
  const TempFolder folder;
  for (const EmbeddingDialect dialect : kAll) {
    INFO(to_string(dialect));
    sdx::write_embedding(folder.path() / "1", ada(), dialect);
    sdx::write_embedding(folder.path() / "2", ada(), dialect);
    CHECK(sdx::test::read_bytes(folder.path() / "1") == sdx::test::read_bytes(folder.path() / "2"));
  }
}

TEST_CASE("embedding: 16-bit vectors are written as float32, views as they look", "[embedding]") {
  const TempFolder folder;
  sdx::Embedding word = ada();
  word.vectors = word.vectors.only().to(at::kHalf).t();
  for (const EmbeddingDialect dialect : kAll) {
    const auto file = folder.path() / "Ada";
    sdx::write_embedding(file, word, dialect);
    const sdx::EmbeddingFile back = sdx::inspect_embedding(file);
    CHECK(back.words[0].stored_dtype == at::kFloat);
    CHECK(at::equal(back.words[0].vectors, word.vectors.only().to(at::kFloat)));
  }
}

TEST_CASE("embedding: values that are not finite are not written", "[embedding]") {
  const TempFolder folder;
  const auto file = folder.file("Ada.pt", "older");
  sdx::Embedding word = ada();
  word.vectors = at::full({1, 4}, std::numeric_limits<float>::infinity());
  for (const EmbeddingDialect dialect : kAll) {
    CHECK_THROWS_AS(sdx::write_embedding(file, word, dialect), sdx::DataError);
  }
  CHECK(sdx::test::read_bytes(file) == "older");
}

TEST_CASE("embedding: a form is known by its name or refused with the choices", "[embedding]") {
  for (const EmbeddingDialect dialect : kAll) {
    CHECK(sdx::parse_enum<EmbeddingDialect>(to_string(dialect), "to") == dialect);
  }
  CHECK_THROWS_WITH(sdx::parse_enum<EmbeddingDialect>("comfy", "to"),
                    "`to`: expected diffusers, a1111 or kohya, found \"comfy\"");
}
