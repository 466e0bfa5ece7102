#include "sdx/embedding/embedding_reader.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>

#include "sdx/image/png.h"
#include "sdx/tensor/safetensors.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "sdx/util/sha256.h"
#include "support/temp_folder.h"
#include "support/throws.h"
#include "support/torch_bytes.h"

#include "support/catch.h"

using Catch::Matchers::ContainsSubstring;
using sdx::EmbeddingFormat;
using sdx::test::catch_message;
using sdx::test::TempFolder;
namespace fs = std::filesystem;

namespace {

/// What scripts/parity/make_embeddings.py wrote.
fs::path made(const std::string& name) { return fs::path(SDX_TEST_DATA) / "embeddings" / name; }

/// Its formula.
at::Tensor vectors(std::int64_t count, std::int64_t width, int shift = 0) {
  return ((at::arange(count * width, at::kFloat) + shift) / 7 - 1).reshape({count, width});
}

std::string refusal(const fs::path& file) {
  return catch_message<sdx::DataError>([&] { sdx::read_embeddings(file); });
}

/// The one word of a file, which has this form.
sdx::Embedding read_one(const std::string& name, EmbeddingFormat format) {
  INFO(name);
  CHECK(sdx::inspect_embedding(made(name)).format == format);
  return sdx::read_embedding(made(name));
}

std::string hash_tensor(const at::Tensor& tensor) {
  return sdx::sha256_hex(
      std::span(static_cast<const std::byte*>(tensor.data_ptr()), tensor.nbytes()));
}

}  // namespace

TEST_CASE("embedding: every form of the field is read, bit for bit", "[embedding]") {
  struct Case {
    const char* file;
    EmbeddingFormat format;
    const char* name;
  };
  const std::vector<Case> cases = {
      {"diffusers.safetensors", EmbeddingFormat::kDiffusersSafetensors, "birb-style"},
      {"diffusers.bin", EmbeddingFormat::kDiffusersBin, "birb-style"},
      {"old_container.bin", EmbeddingFormat::kDiffusersBin, "birb-style"},
      {"original.pt", EmbeddingFormat::kOriginal, "original"},
      {"original_named.pt", EmbeddingFormat::kOriginal, "toy"},
      {"a1111.pt", EmbeddingFormat::kA1111, "a1111"},
      {"a1111.png", EmbeddingFormat::kA1111Png, "in-the-picture"},
      {"kohya.safetensors", EmbeddingFormat::kKohya, "kohya"},
      {"kohya.pt", EmbeddingFormat::kKohya, "kohya"},
      {"onetrainer.safetensors", EmbeddingFormat::kOneTrainer, "onetrainer"},
      {"onetrainer_out.safetensors", EmbeddingFormat::kOneTrainer, "onetrainer_out"},
  };
  for (const Case& each : cases) {
    INFO(each.file);
    const sdx::Embedding word = read_one(each.file, each.format);
    CHECK(word.name == each.name);
    CHECK(word.vectors.only().scalar_type() == at::kFloat);
    CHECK(at::equal(word.vectors, vectors(2, 4)));
    CHECK(word.file == made(each.file));
  }
}

TEST_CASE("embedding: one dimension and 16 bits become [K,W] in float32", "[embedding]") {
  const at::Tensor expected = vectors(2, 4);
  CHECK(at::equal(sdx::read_embedding(made("one_dimension.bin")).vectors, vectors(1, 4)));
  CHECK(at::equal(sdx::read_embedding(made("half.bin")).vectors,
                  expected.to(at::kHalf).to(at::kFloat)));
  const sdx::EmbeddingFile file = sdx::inspect_embedding(made("bfloat16.safetensors"));
  CHECK(at::equal(file.words[0].vectors, expected.to(at::kBFloat16).to(at::kFloat)));
  CHECK(file.words[0].stored_dtype == at::kBFloat16);
  CHECK(file.words[0].name == "sks");  // a placeholder needs no brackets
}

TEST_CASE("embedding: a file may hold several words", "[embedding]") {
  const auto words = sdx::read_embeddings(made("two_words.safetensors"));
  REQUIRE(words.size() == 2);
  CHECK(words[0].name == "cat");
  CHECK(at::equal(words[1].vectors, vectors(1, 4, 5)));
  CHECK_THAT(
      catch_message<sdx::DataError>([] { sdx::read_embedding(made("two_words.safetensors")); }),
      ContainsSubstring("expected one word, found <cat>, <dog>"));
  const TempFolder folder;
  sdx::write_safetensors(folder.file("x.safetensors"),
                         {{"<cat>", vectors(1, 4)}, {"cat", vectors(1, 4)}});
  CHECK_THAT(refusal(folder.file("x.safetensors")), ContainsSubstring("are called <cat>"));
}

TEST_CASE("embedding: what a file says beside its vectors is kept", "[embedding]") {
  for (const char* name : {"a1111.pt", "a1111.png"}) {
    INFO(name);
    const auto metadata = sdx::inspect_embedding(made(name)).metadata;
    CHECK(metadata.at("step") == "1500");
    CHECK(metadata.at("sd_checkpoint") == "cc6cb27103");
    CHECK(metadata.at("sd_checkpoint_name") == "v1-5-pruned-emaonly");
  }
  CHECK(sdx::inspect_embedding(made("kohya.safetensors")).metadata.at("modelspec.title") ==
        "kohya's");
}

TEST_CASE("embedding: OneTrainer's vectors behind the text encoder are named as unused",
          "[embedding]") {
  CHECK(sdx::read_embedding(made("onetrainer.safetensors")).remark.empty());
  CHECK_THAT(sdx::read_embedding(made("onetrainer_out.safetensors")).remark,
             ContainsSubstring("emp_params_out") && ContainsSubstring("not used"));
}

TEST_CASE("embedding: a pair for SDXL is described part by part", "[embedding]") {
  const sdx::EmbeddingFile file = sdx::inspect_embedding(made("sdxl.safetensors"));
  CHECK(file.format == EmbeddingFormat::kSdxlPair);
  REQUIRE(file.words.size() == 2);
  CHECK(file.words[0].key == "clip_g");
  CHECK(file.words[0].vectors.sizes() == at::IntArrayRef({2, 6}));
  CHECK(file.words[0].encoder == 1);
  CHECK(file.words[1].name == "sdxl");
  CHECK(file.words[1].encoder == 0);
  CHECK(file.unusable.empty());
}

TEST_CASE("embedding: the content of a file decides, not its extension", "[embedding]") {
  const TempFolder folder;
  fs::copy(made("a1111.pt"), folder.file("a.safetensors"));
  fs::copy(made("diffusers.safetensors"), folder.file("b.png"));
  fs::copy(made("a1111.png"), folder.file("c.bin"));
  CHECK(sdx::read_embedding(folder.file("a.safetensors")).name == "a");
  CHECK(sdx::read_embedding(folder.file("b.png")).name == "birb-style");
  CHECK(sdx::read_embedding(folder.file("c.bin")).name == "in-the-picture");
}

TEST_CASE("embedding: a word without a fit name of its own is called as the file", "[embedding]") {
  const TempFolder folder;
  for (const std::string key : {"*", "<*>", "<a<b>", "<\x1b[2J>", ""}) {
    INFO(key);
    const fs::path file = folder.file("easy negative.safetensors");
    sdx::write_safetensors(file, {{key, vectors(1, 4)}});
    CHECK(sdx::read_embedding(file).name == "easy negative");
  }
  const fs::path odd = folder.file("\xff.safetensors");
  sdx::write_safetensors(odd, {{"*", vectors(1, 4)}});
  CHECK_THAT(refusal(odd), ContainsSubstring("rename it"));
}

TEST_CASE("embedding: what is no embedding is refused with what it is", "[embedding]") {
  CHECK_THAT(refusal(made("xti.safetensors")),
             ContainsSubstring("xti.safetensors: ") && ContainsSubstring("kohya's XTI"));
  CHECK_THAT(refusal(made("lora.safetensors")),
             ContainsSubstring("a LoRA or a checkpoint, not an embedding"));
  CHECK_THAT(refusal(made("picture.png")), ContainsSubstring("without the text chunk"));
  CHECK_THAT(refusal(made("no_tensors.pt")), ContainsSubstring("holds no tensor"));
  CHECK_THAT(refusal(made("malicious.pt")), ContainsSubstring("\"posix.system\""));
  CHECK_THAT(refusal(made("nan.bin")), ContainsSubstring("not finite"));
  CHECK_THAT(refusal(made("beyond_float32.bin")), ContainsSubstring("not finite"));
  CHECK_THAT(refusal(made("three_dimensions.bin")), ContainsSubstring("3 dimensions"));
  CHECK_THAT(refusal(made("integers.bin")), ContainsSubstring("floating-point vectors"));
  CHECK_THAT(refusal(made("no_vectors.bin")), ContainsSubstring("0 values"));
  CHECK_THAT(refusal(SDX_TEST_DATA), ContainsSubstring("is a folder"));
  CHECK_THROWS_AS(sdx::inspect_embedding("no/such/file.pt"), sdx::MissingInputError);
}

TEST_CASE("embedding: empty, foreign and cut files are refused", "[embedding]") {
  const TempFolder folder;
  CHECK_THAT(refusal(folder.file("a.pt", "")), ContainsSubstring("a.pt: the file is empty"));
  CHECK_THAT(refusal(folder.file("a.pt", "\x01\x02")), ContainsSubstring("neither a safetensors"));
  CHECK_THAT(refusal(folder.file("a.pt", "GIF89a")), ContainsSubstring("a.pt: this is a picture"));
  CHECK_THAT(refusal(folder.file("a.pt", "version https://git-lfs.github.com/spec/v1\n")),
             ContainsSubstring("a Git LFS pointer"));
  CHECK_THAT(refusal(folder.file("a.pt", "<html><body>Log in</body></html>")),
             ContainsSubstring("a web page"));
  for (const char* name : {"diffusers.safetensors", "a1111.pt", "a1111.png", "old_container.bin"}) {
    const std::string whole = sdx::read_file(made(name));
    for (const std::size_t part : {2, 3, 5, 9}) {
      INFO(name << " to 1/" << part);
      CHECK_THAT(refusal(folder.file("a.pt", whole.substr(0, whole.size() / part))),
                 ContainsSubstring("a.pt: "));
    }
  }
}

TEST_CASE("embedding: a row of a whole token table is an embedding, the table is none") {
  using namespace sdx::test;
  const TempFolder folder;
  constexpr std::int64_t kRows = 25'000;
  constexpr std::int64_t kWidth = 768;
  const std::string table = storage("0", kRows * kWidth);
  std::string values(kRows * kWidth * sizeof(float), '\0');  // 73 MiB
  const std::string row = floats(std::vector<float>(kWidth, 0.5F));
  values.replace(7 * row.size(), row.size(), row);
  const auto file_with = [&](const std::string& it) {
    return folder.file("big.bin", torch_zip(pickle("}" + text("<cat>") + it + "s"), values));
  };
  const auto word =
      sdx::read_embedding(file_with(tensor(table, 7 * kWidth, {1, kWidth}, {kWidth, 1})));
  CHECK(word.name == "cat");
  CHECK(word.vectors.only().sizes() == at::IntArrayRef({1, kWidth}));
  CHECK(word.vectors.only().sum().item<float>() == kWidth / 2);
  CHECK_THAT(refusal(file_with(tensor(table, 0, {kRows, kWidth}, {kWidth, 1}))),
             ContainsSubstring("big.bin: holds tensors of 76800000 bytes") &&
                 ContainsSubstring("only the rows of the new word"));
}

TEST_CASE("embedding: vectors of several widths are for a model with several text encoders") {
  const TempFolder folder;
  const auto file = folder.path() / "word.safetensors";
  const auto inspect = [&](const std::map<std::string, std::int64_t>& widths) {
    sdx::TensorMap tensors;
    for (const auto& [name, width] : widths) tensors[name] = vectors(2, width);
    sdx::write_safetensors(file, tensors);
    return sdx::inspect_embedding(file);
  };
  for (const auto& [first, second] :
       std::map<std::string, std::string>{{"emb", "emb2"}, {"<a>", "<b>"}, {"text_l", "text_g"}}) {
    INFO(first);
    const auto pair = inspect({{first, 768}, {second, 1280}});
    CHECK(pair.format == EmbeddingFormat::kSdxlPair);
    CHECK(pair.words[0].name == "word");
    const sdx::Embedding word = sdx::read_embedding(file);
    CHECK(word.vectors.widths() == std::vector<std::int64_t>{768, 1280});
    CHECK(at::equal(word.vectors.matrix(1), vectors(2, 1280)));
  }
  CHECK_THAT(inspect({{"emb", 768}, {"emb2", 4096}}).unusable,
             ContainsSubstring("several widths (768, 4096)"));
  CHECK_THAT(inspect({{"a", 768}, {"b", 1280}, {"c", 4096}}).unusable,
             ContainsSubstring("several widths (768, 1280, 4096)"));
  CHECK(inspect({{"<a>", 768}, {"<b>", 768}}).unusable.empty());
}

TEST_CASE("embedding: the further vectors of a word of diffusers have names of their own") {
  const TempFolder folder;
  const auto file = folder.path() / "learned_embeds.safetensors";
  sdx::write_safetensors(file, {{"<frida>", vectors(1, 4)},
                                {"<frida>_1", vectors(1, 4, 1)},
                                {"<frida>_12", vectors(1, 4, 2)}});
  const auto words = sdx::read_embeddings(file);
  REQUIRE(words.size() == 3);
  CHECK(words[0].name == "frida");
  CHECK(words[1].name == "frida_1");
  CHECK(words[2].name == "frida_12");
  // Anything else is no name: the file's stands for it.
  sdx::write_safetensors(file, {{"<frida>x", vectors(1, 4)}});
  CHECK(sdx::read_embeddings(file).front().name == "learned_embeds");
}

TEST_CASE("embedding: an expanded tensor is as many vectors as it says") {
  using namespace sdx::test;
  const TempFolder folder;
  const auto file = folder.file(
      "cat.pt",
      torch_zip(pickle("}" + text("cat") + tensor(storage("0", 2), 0, {3, 2}, {0, 1}) + "s"),
                floats({1, 2})));
  const auto word = sdx::read_embedding(file);
  CHECK(word.vectors.only().sizes() == at::IntArrayRef({3, 2}));
  CHECK(word.vectors.only().sum().item<float>() == 9);
}

TEST_CASE("embedding: a picture's text that is no sound embedding is refused", "[embedding]") {
  struct Case {
    const char* base64;
    const char* reason;
  };
  const std::vector<Case> cases = {
      {"not base64!", "is not base64"},
      {"e30=", "no object \"string_to_param\""},  // {}
      {"eyJzdHJpbmdfdG9fcGFyYW0iOnsiKiI6MX19",
       "expected a tensor as nested lists, found \"1\""},  // {"string_to_param":{"*":1}}
      {"eyJzdHJpbmdfdG9fcGFyYW0iOnsiKiI6eyJUT1JDSFRFTlNPUiI6W1sxXSxbMSwyXV19fX0=",
       "different lengths"},  // {"string_to_param":{"*":{"TORCHTENSOR":[[1],[1,2]]}}}
      {"eyJzdHJpbmdfdG9fcGFyYW0iOnsiKiI6eyJUT1JDSFRFTlNPUiI6W1sxLCJhIl1dfX19",
       "its tensor holds"},  // {"string_to_param":{"*":{"TORCHTENSOR":[[1,"a"]]}}}
      {"eyJzdHJpbmdfdG9fcGFyYW0iOnsiKiI6eyJUT1JDSFRFTlNPUiI6W1tOYU5dXX19fQ==",
       "not JSON"},  // {"string_to_param":{"*":{"TORCHTENSOR":[[NaN]]}}}
      {"eyJzdHJpbmdfdG9fcGFyYW0iOnsiKiI6eyJUT1JDSFRFTlNPUiI6W1sxZTM5XV19fX0=",
       "not finite"},  // {"string_to_param":{"*":{"TORCHTENSOR":[[1e39]]}}}
      {"W1tbW1tbW1tbW1tbXV1dXV1dXV1dXV1d", "nested too deeply"},  // [[[[[[[[[[[[]]]]]]]]]]]]
  };
  const TempFolder folder;
  for (const Case& each : cases) {
    INFO(each.reason);
    sdx::write_png(folder.file("a.png"), sdx::Image(1, 1), {{"sd-ti-embedding", each.base64}});
    CHECK_THAT(refusal(folder.file("a.png")),
               ContainsSubstring("a.png: ") && ContainsSubstring(each.reason));
  }
}

TEST_CASE("embedding: claims of huge sizes cost nothing", "[embedding]") {
  const TempFolder folder;
  const std::string start = sdx::test::raw(std::uint64_t{2}) + "{}";
  fs::resize_file(folder.file("a.safetensors", start), sdx::kMaxEmbeddingBytes + 1);
  CHECK_THAT(refusal(folder.file("a.safetensors")), ContainsSubstring("sdx-model import"));
  const std::string long_header = sdx::test::raw(std::uint64_t{1} << 60U) + "{}";
  CHECK_THAT(refusal(folder.file("b.safetensors", long_header)), ContainsSubstring("claims"));
  using namespace sdx::test;
  const std::string claims =
      wrap_in_dict(tensor(storage("0", 1LL << 37), 0, {1LL << 36, 2}, {2, 1}));
  CHECK_THAT(refusal(folder.file("c.pt", torch_zip(pickle(claims), floats({1, 2})))),
             ContainsSubstring("claims 549755813888 bytes"));
}

TEST_CASE("embedding: the embeddings of the field hold what Python reads from them",
          "[embedding][needs-data]") {
  const fs::path folder = fs::path(SDX_SHARED_DATA) / "embeddings";
  if (!fs::exists(folder)) SDX_SKIP("the embeddings in shared/data are not here");
  struct Case {
    const char* file;
    const char* name;
    std::vector<std::int64_t> sizes;
    const char* sha256;
  };
  // From make_embeddings.py --hashes: torch.load of torch 2.13.0, safetensors 0.8.0.
  const std::vector<Case> cases = {
      {"a1111_gasai_yuno-1000.pt",
       "a1111_gasai_yuno-1000",
       {8, 768},
       "d62f3cd3aca890aa4de73366854d75632025aed0d90c48ae765b23c547f7933a"},
      {"diffusers_birb-style.bin",
       "birb-style",
       {1, 768},
       "5af512a0191b178b175e009611ee310673036d0a1683f62cc47b797e5af7c0ad"},
      {"emb_params_5x768.safetensors",
       "emb_params_5x768",
       {5, 768},
       "1a59af6599361b4705298d85b58c2c8feba79810da592f4c1895b4087a4dfa74"},
  };
  for (const Case& each : cases) {
    INFO(each.file);
    const sdx::Embedding word = sdx::read_embedding(folder / each.file);
    CHECK(word.name == each.name);
    CHECK(word.vectors.only().sizes() == at::IntArrayRef(each.sizes));
    CHECK(hash_tensor(word.vectors) == each.sha256);
  }
}
