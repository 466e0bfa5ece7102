// Words for the two text encoders of SDXL: every layout that a tool writes, and what is none.

#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/ones.h>

#include "sdx/embedding/embedding_reader.h"
#include "sdx/embedding/embedding_table.h"
#include "sdx/embedding/embedding_writer.h"
#include "sdx/tensor/safetensors.h"
#include "sdx/tensor/torch_file.h"
#include "sdx/util/error.h"
#include "support/temp_folder.h"
#include "support/throws.h"
#include "support/torch_bytes.h"

#include "support/catch.h"

using Catch::Matchers::ContainsSubstring;
using sdx::EmbeddingDialect;
using sdx::EmbeddingFormat;
using sdx::test::catch_message;
using sdx::test::TempFolder;
namespace fs = std::filesystem;

namespace {

using Widths = std::vector<std::int64_t>;

constexpr std::int64_t kFirstWidth = 768;
constexpr std::int64_t kSecondWidth = 1280;

at::Tensor vectors(std::int64_t count, std::int64_t width, int shift = 0) {
  return ((at::arange(count * width, at::kFloat) + shift) / 7 - 1).reshape({count, width});
}

sdx::Embedding ada(std::int64_t count = 2, std::int64_t first = kFirstWidth,
                   std::int64_t second = kSecondWidth) {
  return {"Ada",
          sdx::EmbeddingVectors(
              std::vector<at::Tensor>{vectors(count, first), vectors(count, second, 3)}),
          {{"sdx.steps", "250"}, {"sdx.model", "sdxl"}, {"ss_output_dir", "/home/somebody"}},
          {}};
}

std::string refusal(const fs::path& file) {
  return catch_message<sdx::DataError>([&] { sdx::read_embeddings(file); });
}

void check_is_ada(const sdx::Embedding& word, const std::string& name) {
  CHECK(word.name == name);
  CHECK(word.remark.empty());
  CHECK(are_equal(word.vectors, ada().vectors));
}

}  // namespace

TEST_CASE("embedding: one file with the vectors for both text encoders is one word of SDXL",
          "[embedding][sdxl]") {
  const TempFolder folder;
  const sdx::EmbeddingVectors both = ada().vectors;
  struct Case {
    const char* first;
    const char* second;
    EmbeddingFormat format;
  };
  for (const Case& each : {Case{"clip_l", "clip_g", EmbeddingFormat::kSdxlPair},
                           Case{"text_encoders_0", "text_encoders_1", EmbeddingFormat::kReplicate},
                           Case{"emb", "emb2", EmbeddingFormat::kSdxlPair}}) {
    INFO(each.first);
    const fs::path file = folder.path() / "word.safetensors";
    sdx::write_safetensors(file, {{each.first, both.matrix(0)}, {each.second, both.matrix(1)}});
    CHECK(sdx::inspect_embedding(file).format == each.format);
    check_is_ada(sdx::read_embedding(file), "word");
  }
}

TEST_CASE("embedding: 16-bit pairs, and pairs of torch.save, are read", "[embedding][sdxl]") {
  const TempFolder folder;
  const fs::path half = folder.path() / "half.safetensors";
  sdx::write_safetensors(half, {{"clip_l", vectors(1, 768).to(at::kHalf)},
                                {"clip_g", vectors(1, 1280).to(at::kBFloat16)}});
  const sdx::Embedding word = sdx::read_embedding(half);
  CHECK(at::equal(word.vectors.matrix(0), vectors(1, 768).to(at::kHalf).to(at::kFloat)));
  CHECK(at::equal(word.vectors.matrix(1), vectors(1, 1280).to(at::kBFloat16).to(at::kFloat)));
  using namespace sdx::test;
  const fs::path pickled = folder.file(
      "kohya.pt",
      torch_zip(pickle("}" + text("clip_g") + tensor(storage("0", 6), 0, {2, 3}, {3, 1}) + "s" +
                       text("clip_l") + tensor(storage("0", 6), 2, {2, 2}, {2, 1}) + "s"),
                floats({1, 2, 3, 4, 5, 6})));
  const sdx::Embedding other = sdx::read_embedding(pickled);
  CHECK(other.name == "kohya");
  CHECK(other.vectors.widths() == Widths{2, 3});
  CHECK(other.vectors.matrix(0).sum().item<float>() == 18);
}

TEST_CASE("embedding: OneTrainer's output vectors beside a pair are named as unused",
          "[embedding][sdxl]") {
  const TempFolder folder;
  const fs::path file = folder.path() / "word.safetensors";
  sdx::write_safetensors(file, {{"clip_l", vectors(2, 768)},
                                {"clip_g", vectors(2, 1280, 3)},
                                {"clip_l_out", vectors(2, 768)},
                                {"clip_g_out", vectors(2, 1280)}});
  const sdx::Embedding word = sdx::read_embedding(file);
  CHECK(are_equal(word.vectors, ada().vectors));
  CHECK_THAT(word.remark, ContainsSubstring("clip_l_out") && ContainsSubstring("not used"));
}

TEST_CASE("embedding: one of the pair alone reaches one text encoder, and says so",
          "[embedding][sdxl]") {
  const TempFolder folder;
  const fs::path file = folder.path() / "word.safetensors";
  sdx::write_safetensors(file, {{"clip_l", vectors(2, 768)}});
  const sdx::Embedding first = sdx::read_embedding(file);
  CHECK(first.vectors.widths() == Widths{768, 0});
  CHECK(first.vectors.count() == 2);
  CHECK(first.remark ==
        "holds vectors for the first text encoder alone; the second reads the prompt without the "
        "word");
  sdx::write_safetensors(file, {{"text_encoders_1", vectors(2, 1280)}});
  const sdx::Embedding second = sdx::read_embedding(file);
  CHECK(second.vectors.widths() == Widths{0, 1280});
  CHECK_THAT(second.remark, ContainsSubstring("for the second text encoder alone"));
  // The second file of diffusers by itself.
  sdx::write_safetensors(file, {{"<Ada>", vectors(1, 1280)}});
  CHECK(sdx::read_embedding(file).vectors.widths() == Widths{0, 1280});
  CHECK(sdx::read_embedding(file).name == "Ada");
  for (const sdx::Embedding& word : {first, second}) {
    sdx::check_widths(word, {768, 1280});
    CHECK_THAT(catch_message<sdx::DataError>([&] { sdx::check_widths(word, {768}); }),
               ContainsSubstring("made for SDXL"));
  }
}

TEST_CASE("embedding: a pair with different numbers of vectors is refused with both numbers",
          "[embedding][sdxl]") {
  const TempFolder folder;
  const fs::path file = folder.path() / "word.safetensors";
  sdx::write_safetensors(file, {{"clip_l", vectors(2, 768)}, {"clip_g", vectors(3, 1280)}});
  CHECK_THAT(refusal(file), ContainsSubstring("\"clip_g\" holds 3 vectors and \"clip_l\" 2"));
  sdx::write_safetensors(
      file, {{"text_encoders_0", vectors(4, 768)}, {"text_encoders_1", vectors(1, 1280)}});
  CHECK_THAT(refusal(file), ContainsSubstring("\"text_encoders_0\" holds 4 vectors"));
  CHECK(sdx::inspect_embedding(file).words.size() == 2);  // it can be shown all the same
}

TEST_CASE("embedding: vectors for a third text encoder are refused by the models that have it",
          "[embedding][sdxl]") {
  const TempFolder folder;
  const fs::path file = folder.path() / "word.safetensors";
  for (const sdx::TensorMap& tensors :
       {sdx::TensorMap{{"clip_l", vectors(1, 768)}, {"t5", vectors(1, 4096)}},
        sdx::TensorMap{{"clip_l", vectors(1, 768)},
                       {"clip_g", vectors(1, 1280)},
                       {"t5xxl", vectors(1, 4096)}}}) {
    sdx::write_safetensors(file, tensors);
    CHECK_THAT(refusal(file), ContainsSubstring("\"t5") && ContainsSubstring("SD 3, Flux"));
  }
}

TEST_CASE("embedding: the two files of diffusers are one word, in either order",
          "[embedding][sdxl]") {
  const TempFolder folder;
  const fs::path first = folder.path() / "learned_embeds.safetensors";
  const fs::path second = folder.path() / "learned_embeds_2.safetensors";
  sdx::write_safetensors(first, {{"<Ada>", vectors(2, 768)}});
  sdx::write_safetensors(second, {{"<Ada>", vectors(2, 1280, 3)}});
  for (const auto& files : {std::vector<fs::path>{first, second}, {second, first}}) {
    const auto words = sdx::read_embeddings(files);
    REQUIRE(words.size() == 1);
    check_is_ada(words.front(), "Ada");
    sdx::EmbeddingTable table;
    for (const fs::path& file : files) table.add_from(file);
    check_is_ada(table.at("Ada"), "Ada");
    table.check_used({"Ada"});
  }
  sdx::EmbeddingTable table;
  table.add_from(folder.path());
  check_is_ada(table.at("Ada"), "Ada");
  // The same word in one file: a copy.
  sdx::write_embedding(folder.path() / "Ada.safetensors", ada());
  sdx::EmbeddingTable all;
  all.add_from(folder.path());
  check_is_ada(all.at("Ada"), "Ada");

  sdx::write_safetensors(second, {{"<Ada>", vectors(3, 1280)}});
  CHECK_THAT(catch_message<sdx::DataError>([&] {
               sdx::read_embeddings({first, second});
             }),
             ContainsSubstring("learned_embeds.safetensors and ") &&
                 ContainsSubstring("hold 2 and 3 vectors"));
  sdx::write_safetensors(second, {{"<Ben>", vectors(2, 1280)}});
  CHECK(sdx::read_embeddings({first, second}).size() == 2);
}

TEST_CASE("embedding: a word of SDXL comes back as it was written, in every form",
          "[embedding][sdxl]") {
  for (const auto& [first, second] : std::map<std::int64_t, std::int64_t>{{768, 1280}, {2, 1}}) {
    const sdx::Embedding word = ada(2, first, second);
    for (const auto& dialect : sdx::kEnumTexts<EmbeddingDialect>) {
      INFO(dialect.text << ", " << first);
      const TempFolder folder;
      const fs::path file = folder.path() / ("Ada" + std::string(find_extension(dialect.value)));
      const std::vector<fs::path> files = sdx::write_embedding(file, word, dialect.value);
      CHECK(files.size() == (dialect.value == EmbeddingDialect::kDiffusers ? 2U : 1U));
      const auto back = sdx::read_embeddings(files);
      REQUIRE(back.size() == 1);
      CHECK(back.front().name == "Ada");
      CHECK(are_equal(back.front().vectors, word.vectors));
      for (const fs::path& one : files) {
        CHECK_THAT(sdx::test::read_bytes(one), !ContainsSubstring("somebody"));
      }
    }
  }
}

TEST_CASE("embedding: our form for two text encoders is what kohya and AUTOMATIC1111 look for",
          "[embedding][sdxl]") {
  const TempFolder folder;
  const fs::path file = folder.path() / "Ada.safetensors";
  sdx::write_embedding(file, ada());
  const sdx::Safetensors written = sdx::map_safetensors(file);
  CHECK(written.tensors.size() == 2);
  CHECK(written.tensors.at("clip_l").scalar_type() == at::kFloat);
  CHECK(written.tensors.at("clip_l").sizes() == at::IntArrayRef({2, 768}));
  CHECK(written.tensors.at("clip_g").sizes() == at::IntArrayRef({2, 1280}));
  CHECK(written.metadata ==
        std::map<std::string, std::string>{
            {"format", "pt"},
            {"modelspec.sai_model_spec", "1.0.0"},
            {"modelspec.implementation", "https://github.com/Stability-AI/generative-models"},
            {"modelspec.title", "Ada"},
            {"modelspec.architecture", "stable-diffusion-xl-v1-base/textual-inversion"},
            {"modelspec.resolution", "1024x1024"},
            {"modelspec.prediction_type", "epsilon"},
            {"sdx.model", "sdxl"},
            {"sdx.steps", "250"}});
  // Of another model with two text encoders nothing is claimed.
  sdx::write_embedding(file, ada(2, 2, 1));
  CHECK_FALSE(sdx::map_safetensors(file).metadata.contains("modelspec.architecture"));
}

TEST_CASE("embedding: diffusers' two files have its names, keys and one tensor each",
          "[embedding][sdxl]") {
  const TempFolder folder;
  const auto files = sdx::write_embedding(folder.path() / "learned_embeds.safetensors", ada(),
                                          EmbeddingDialect::kDiffusers);
  CHECK(files == std::vector<fs::path>{folder.path() / "learned_embeds.safetensors",
                                       folder.path() / "learned_embeds_2.safetensors"});
  for (std::size_t i = 0; i < 2; ++i) {
    const sdx::TensorMap tensors = sdx::map_safetensors(files[i]).tensors;
    CHECK(tensors.size() == 1);
    CHECK(at::equal(tensors.at("<Ada>"), ada().vectors.matrix(i)));
  }
}

TEST_CASE("embedding: half a word is written in kohya's form alone", "[embedding][sdxl]") {
  const TempFolder folder;
  sdx::Embedding half = ada();
  half.vectors = sdx::EmbeddingVectors(std::vector<at::Tensor>{{}, vectors(2, 1280)});
  const fs::path file = folder.path() / "Ada.safetensors";
  sdx::write_embedding(file, half, EmbeddingDialect::kKohya);
  CHECK(sdx::map_safetensors(file).tensors.size() == 1);
  CHECK(are_equal(sdx::read_embedding(file).vectors, half.vectors));
  for (const EmbeddingDialect dialect : {EmbeddingDialect::kA1111, EmbeddingDialect::kDiffusers}) {
    CHECK_THAT(
        catch_message<sdx::DataError>([&] { sdx::write_embedding(file, half, dialect); }),
        ContainsSubstring("for the second text encoder alone") && ContainsSubstring("`to` kohya"));
  }
}

TEST_CASE("embedding: a word of one family in another model is refused by name, with the way out",
          "[embedding][sdxl]") {
  const auto message = [](const sdx::EmbeddingVectors& made, const Widths& model) {
    const sdx::Embedding word{"Ada", made, {}, {}};
    return catch_message<sdx::DataError>([&] { sdx::check_widths(word, model); });
  };
  CHECK(message(ada().vectors, {768}) ==
        "<Ada>: made for SDXL (vectors of width 768 and 1280), this model takes embeddings for "
        "SD 1.x (width 768); use it with an SDXL model (`model`), or train the word anew on this "
        "one");
  CHECK(message(vectors(1, 768), {768, 1280}) ==
        "<Ada>: made for SD 1.x (vectors of width 768), this model takes embeddings for SDXL "
        "(width 768 and 1280); use it with a model of its family (`model`), or train the word anew "
        "on this one. If it is one of the two files that diffusers writes for SDXL, give the other "
        "one as well (learned_embeds_2.safetensors)");
  CHECK_THAT(message(vectors(1, 1024), {768, 1280}),
             ContainsSubstring("made for SD 2.x") && !ContainsSubstring("learned_embeds"));
  CHECK_THAT(message(ada(1, 2, 1).vectors, {768, 1280}),
             ContainsSubstring("made for a model of widths 2 and 1"));
  sdx::check_widths(ada(), {768, 1280});
}

TEST_CASE("embedding: vectors that do not reach an encoder keep that through changes",
          "[embedding][sdxl]") {
  const sdx::EmbeddingVectors half(std::vector<at::Tensor>{vectors(2, 3), {}});
  CHECK(half.defined());
  CHECK(half.reaches(0));
  CHECK_FALSE(half.reaches(1));
  CHECK_FALSE(half.reaches_all());
  CHECK(are_equal(half.clone(), half));
  CHECK_FALSE(are_equal(half, sdx::EmbeddingVectors(vectors(2, 3))));
  CHECK_FALSE(are_equal(
      half, sdx::EmbeddingVectors(std::vector<at::Tensor>{vectors(2, 3), vectors(2, 3)})));
  CHECK_THROWS_AS(sdx::EmbeddingVectors(std::vector<at::Tensor>{{}, {}}), sdx::InternalError);
}
