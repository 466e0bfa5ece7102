#include "sdx/tensor/torch_file.h"

#include <ATen/ops/equal.h>

#include <algorithm>
#include <cstdlib>
#include <random>

#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "support/temp_folder.h"

#include "support/catch.h"

using Catch::Matchers::ContainsSubstring;
using sdx::test::TempFolder;
namespace fs = std::filesystem;

namespace {

fs::path torch_data(const std::string& name) { return fs::path(SDX_TEST_DATA) / "torch" / name; }

/// What scripts/parity/make_torch_files.py wrote beside the file.
sdx::TensorMap expected(const std::string& name) {
  return sdx::map_safetensors(torch_data(name).replace_extension(".safetensors")).tensors;
}

void check_equal(const sdx::TensorMap& found, const sdx::TensorMap& wanted) {
  CHECK(found.size() == wanted.size());
  for (const auto& [name, tensor] : wanted) {
    INFO(name);
    REQUIRE(found.count(name) == 1);
    CHECK(found.at(name).scalar_type() == tensor.scalar_type());
    CHECK(at::equal(found.at(name), tensor));
  }
}

sdx::TensorMap tensors_in(const std::string& name) {
  const sdx::PickleValue root = sdx::read_torch_file(torch_data(name));
  return sdx::list_tensors(&root, name);
}

/// The same archive, saying that its writer computed no checksums: so that damage reaches the code
/// behind them. Other files stay as they are.
std::string without_checksums(std::string bytes) {
  constexpr std::string_view kCentralHeader = "PK\x01\x02";
  for (std::size_t at = bytes.find(kCentralHeader); at != std::string::npos;
       at = bytes.find(kCentralHeader, at + 1)) {
    bytes.replace(at + 16, 4, 4, '\0');
  }
  return bytes;
}

}  // namespace

TEST_CASE("tensor: what torch.save wrote is read as PyTorch reads it", "[tensor]") {
  for (const char* name : {"dtypes.pt", "views.pt", "protocol5.bin", "unchecked.pt", "legacy.pt"}) {
    INFO(name);
    check_equal(tensors_in(name), expected(name));
  }
}

TEST_CASE("tensor: views of one storage in a torch file share it and keep their strides",
          "[tensor]") {
  for (const char* name : {"views.pt", "legacy.pt"}) {
    INFO(name);
    auto tensors = tensors_in(name);
    CHECK(tensors.at("transposed").strides() == at::IntArrayRef({1, 6}));
    CHECK(tensors.at("slice").storage_offset() == 5);
    tensors.at("whole")[0][5].fill_(-7);
    CHECK(tensors.at("slice")[0].item<float>() == -7);
    CHECK(tensors_in(name).at("slice")[0].item<float>() == 5);  // the file is as it was
  }
}

TEST_CASE("tensor: a checkpoint's state_dict is found among what Lightning adds", "[tensor]") {
  const sdx::PickleValue root = sdx::read_torch_file(torch_data("lightning.ckpt"));
  check_equal(sdx::list_tensors(root.find("state_dict"), "state_dict"), expected("lightning.ckpt"));

  CHECK(*root.find("epoch")->integer() == 3);
  CHECK(*root.find("global_step")->integer() == 470000);
  CHECK(*root.find("loss")->real() == 0.125);
  CHECK(*root.find("big")->integer() == std::int64_t{1} << 40);
  CHECK(*root.find("huge")->opaque() == "int");
  CHECK(*root.find("pytorch-lightning_version")->text() == "1.4.2");
  CHECK(*root.find("dtype")->opaque() == "torch.float16");
  CHECK(root.find("shape")->list()->size() == 2);
  CHECK(root.find("no such key") == nullptr);

  const auto& [key, callback] = root.find("callbacks")->dict()->front();
  const std::string wanted = "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint";
  CHECK(*key.opaque() == wanted);
  CHECK(*callback.find("kept")->opaque() == wanted);
  CHECK(callback.find("monitor")->is_none());
  CHECK(callback.find("best")->tensor()->item<float>() == 0.5F);
  CHECK(*callback.find("score")->opaque() == "numpy.core.multiarray.scalar");
  CHECK(callback.find("steps")->list()->size() == 2);

  const sdx::PickleValue& optimizer = root.find("optimizer_states")->list()->front();
  const auto& [number, moments] = optimizer.find("state")->dict()->front();
  CHECK(*number.integer() == 0);
  CHECK(moments.find("exp_avg")->tensor()->sizes() == at::IntArrayRef({2, 3}));
}

TEST_CASE("tensor: bytes and sets come out of newer pickle protocols", "[tensor]") {
  const sdx::PickleValue root = sdx::read_torch_file(torch_data("protocol5.bin"));
  CHECK(*root.find("raw")->bytes() == std::string("\xff\x00", 2));
  CHECK(*root.find("set")->list()->front().integer() == 1);
}

TEST_CASE("tensor: a ParameterDict is a dict of its Parameters", "[tensor]") {
  const sdx::PickleValue root = sdx::read_torch_file(torch_data("textual_inversion.pt"));
  check_equal(sdx::list_tensors(root.find("string_to_param"), "string_to_param"),
              expected("textual_inversion.pt"));
  CHECK(root.find("string_to_token")->find("*")->tensor()->item<std::int64_t>() == 265);
}

TEST_CASE("tensor: a torch file that would run a command is refused and runs nothing", "[tensor]") {
  CHECK_THROWS_WITH(sdx::read_torch_file(torch_data("malicious.pt")),
                    ContainsSubstring("malicious.pt") && ContainsSubstring("\"posix.system\"") &&
                        ContainsSubstring("other programs would run"));
  CHECK_THROWS_AS(sdx::read_torch_file(torch_data("malicious.pt")), sdx::DataError);
}

TEST_CASE("tensor: list_tensors names what is no dict of tensors", "[tensor]") {
  const sdx::PickleValue root = sdx::read_torch_file(torch_data("lightning.ckpt"));
  CHECK(sdx::list_tensors(&root, "root").empty());
  CHECK_THROWS_WITH(sdx::list_tensors(root.find("epoch"), "a.ckpt: epoch"),
                    "a.ckpt: epoch: expected a dict of tensors, found the number 3");
  CHECK_THROWS_WITH(sdx::list_tensors(root.find("none"), "here"),
                    ContainsSubstring("found nothing"));
  sdx::PickleValue twice = sdx::PickleValue::make_dict();
  for (int i = 0; i < 2; ++i) {
    twice.insert(sdx::PickleValue::make_text("a"), sdx::PickleValue::make_tensor(at::Tensor()));
  }
  CHECK_THROWS_WITH(sdx::list_tensors(&twice, "here"),
                    ContainsSubstring("\"a\" stands there twice"));
}

TEST_CASE("tensor: what is no torch file is refused; a missing one is a missing input",
          "[tensor]") {
  const TempFolder folder;
  for (const char* bytes : {"", "PK", "GIF89a", "\x80\x02}."}) {
    const auto path = folder.file("a.pt", bytes);
    CHECK_THROWS_WITH(sdx::read_torch_file(path),
                      ContainsSubstring("expected a file of torch.save"));
  }
  CHECK_THROWS_WITH(sdx::read_torch_file(folder.file("a.pt", "<!DOCTYPE html><html>")),
                    ContainsSubstring("found a web page"));
  CHECK_THROWS_AS(sdx::read_torch_file("no/such/file"), sdx::MissingInputError);
}

TEST_CASE("tensor: damaged torch files are read as they were or refused, never worse", "[tensor]") {
  const TempFolder folder;
  const char* rounds = std::getenv("SDX_FUZZ_ROUNDS");  // for a long search
  const int mutations = rounds != nullptr ? std::atoi(rounds) : 100;
  std::mt19937 random(1);
  constexpr std::string_view kTelling("(.)Rb}]tuseaqhQcKN\x00\x01\x7f\x80\x81\x85\x86\x87\xff", 27);
  for (const char* name : {"dtypes.pt", "views.pt", "lightning.ckpt", "textual_inversion.pt",
                           "protocol5.bin", "unchecked.pt", "legacy.pt", "malicious.pt"}) {
    const std::string sound = without_checksums(sdx::read_file(torch_data(name)));
    for (int i = 0; i < mutations; ++i) {
      std::string bytes = sound;
      for (auto changes = 1 + random() % 4; changes > 0; --changes) {
        const bool telling = random() % 2 == 0;
        bytes[random() % bytes.size()] =
            telling ? kTelling[random() % kTelling.size()] : static_cast<char>(random());
      }
      if (random() % 8 == 0) bytes.resize(random() % bytes.size());
      const auto path = folder.file("a.pt", bytes);
      try {
        const auto root = sdx::read_torch_file(path);
        if (root.dict() == nullptr) continue;
        for (const auto& [key, tensor] : sdx::list_tensors(&root, "root")) {
          CHECK(tensor.nbytes() <= std::max<std::size_t>(bytes.size(), 64 << 20));  // expanded
          tensor.contiguous().to(at::kDouble).sum();
        }
      } catch (const sdx::DataError&) {
        continue;  // any other exception, or a crash, fails the test
      }
    }
  }
}

TEST_CASE("tensor: embeddings of the field are read", "[tensor][needs-data]") {
  const fs::path folder = fs::path(SDX_SHARED_DATA) / "embeddings";
  if (!fs::exists(folder)) SDX_SKIP("the embeddings in shared/data are not here");
  const auto a1111 = sdx::read_torch_file(folder / "a1111_gasai_yuno-1000.pt");
  CHECK(*a1111.find("name")->text() == "gasai yuno");
  const auto vectors = sdx::list_tensors(a1111.find("string_to_param"), "string_to_param");
  CHECK(vectors.at("*").sizes() == at::IntArrayRef({8, 768}));
  CHECK(vectors.at("*").scalar_type() == at::kFloat);
  CHECK(vectors.at("*").isfinite().all().item<bool>());
  const auto diffusers = sdx::read_torch_file(folder / "diffusers_birb-style.bin");
  CHECK(sdx::list_tensors(&diffusers, "birb").at("<birb-style>").sizes() == at::IntArrayRef({768}));
}
