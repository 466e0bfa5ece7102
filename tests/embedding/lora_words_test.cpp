#include "sdx/embedding/lora_words.h"

#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>

#include <cmath>

#include "sdx/tensor/safetensors.h"
#include "sdx/util/error.h"
#include "support/temp_folder.h"
#include "support/throws.h"

#include "support/catch.h"

using namespace sdx;
using Catch::Matchers::ContainsSubstring;

namespace {

class File {
 public:
  explicit File(const TensorMap& tensors) {
    write_safetensors(path(), tensors, {{"ss_output_name", "style"}});
  }
  std::filesystem::path path() const { return folder_.path() / "style.safetensors"; }
  std::string refusal() const {
    return test::catch_message<DataError>([&] { read_lora_words(path()); });
  }

 private:
  test::TempFolder folder_;
};

const at::Tensor kOne = at::ones({2, 768});
const at::Tensor kTwo = at::ones({2, 1280});

}  // namespace

TEST_CASE("embedding: words inside of a LoRA have the names of their keys") {
  const File file({{"bundle_emb.Ada.string_to_param.*", kOne},
                   {"bundle_emb.my.style.string_to_param.*", kOne * 2},
                   {"lora_unet_x.lora_up.weight", kOne}});
  const std::vector<Embedding> words = read_lora_words(file.path());
  REQUIRE(words.size() == 2);
  CHECK(words[0].name == "Ada");
  CHECK(words[1].name == "my.style");
  CHECK(at::equal(words[1].vectors.matrix(0), kOne * 2));
  CHECK(words[0].file == file.path());
  CHECK(words[0].remark.empty());
}

TEST_CASE("embedding: words of SDXL inside of a LoRA have a matrix for each text encoder") {
  const File both({{"bundle_emb.Ada.clip_l", kOne}, {"bundle_emb.Ada.clip_g", kTwo}});
  const std::vector<Embedding> words = read_lora_words(both.path());
  REQUIRE(words.size() == 1);
  CHECK(words[0].vectors.widths() == std::vector<std::int64_t>{768, 1280});
  CHECK(words[0].vectors.reaches_all());
  const File half({{"bundle_emb.Ada.clip_g", kTwo}});
  CHECK_FALSE(read_lora_words(half.path()).front().vectors.reaches(0));
  CHECK_FALSE(read_lora_words(half.path()).front().remark.empty());
}

TEST_CASE("embedding: words inside of a LoRA that are none are refused by name") {
  CHECK_THAT(File({{"bundle_emb.Ada.clip_l", kOne}, {"bundle_emb.Ada.clip_g", at::ones({3, 1280})}})
                 .refusal(),
             ContainsSubstring("the word <Ada> inside has 2 vectors"));
  CHECK_THAT(File({{"bundle_emb.Ada.t5", kOne}}).refusal(),
             ContainsSubstring("expected an ending"));
  CHECK_THAT(File({{"bundle_emb.clip_l", kOne}}).refusal(), ContainsSubstring("no word can have"));
  CHECK_THAT(File({{"bundle_emb.a<b.clip_l", kOne}}).refusal(),
             ContainsSubstring("no word can have"));
  CHECK_THAT(File({{"bundle_emb.Ada.clip_l", at::full({2, 768}, std::nan(""))}}).refusal(),
             ContainsSubstring("not finite"));
  CHECK_THAT(File({{"bundle_emb.Ada.clip_l", at::ones({2, 2, 2})}}).refusal(),
             ContainsSubstring("expected floating-point vectors"));
  CHECK(read_lora_words(File({{"x", kOne}}).path()).empty());
}
