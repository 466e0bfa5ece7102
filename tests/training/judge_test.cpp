#include "sdx/training/judge.h"

#include "sdx/image/decode.h"
#include "sdx/model/identity_network.h"
#include "sdx/training/start_vectors.h"
#include "support/mini_bundle.h"

#include "support/catch.h"

namespace {

std::vector<sdx::Image> demo_portraits(const std::string& name) {
  std::vector<sdx::Image> pictures;
  for (int i = 1; i <= 6; ++i) {
    pictures.push_back(
        sdx::decode_image(sdx::test::demo_folder() / name / ("0" + std::to_string(i) + ".png"))
            .image);
  }
  return pictures;
}

}  // namespace

TEST_CASE("judge: the built-in model knows who is who, and whether it did as asked", "[training]") {
  const sdx::Bundle bundle = sdx::test::mini_bundle();
  const auto tokenizer = bundle.load_tokenizer();
  const sdx::TextEncoder text_encoder(bundle, c10::DeviceType::CPU);
  const sdx::UNet unet(bundle, {});
  const auto identity = sdx::IdentityNetwork::of(bundle, c10::DeviceType::CPU);
  REQUIRE(identity);
  sdx::JudgeOptions options;
  options.prompts = {"a photo of {name}", "{name} as an astronaut", "a pencil sketch of {name}"};
  options.draws = 4;
  const auto verdict = [&](const std::string& portraits, const std::string& words) {
    const sdx::Judge judge({bundle, *tokenizer, text_encoder, unet}, {}, identity.get(),
                           demo_portraits(portraits), options);
    CHECK(judge.knows_the_person());
    const sdx::Embedding word = {
        "X", sdx::phrase_vectors(words, 8, *tokenizer, text_encoder), {}, {}};
    return judge.look_at(word).verdict;
  };
  const std::string ada = "a woman with long red hair and round green glasses";
  const sdx::Verdict right = verdict("ada", ada);
  const sdx::Verdict wrong = verdict("ben", ada);
  INFO("likeness " << right.likeness << " and " << wrong.likeness << ", obedience "
                   << right.obedience);
  CHECK(right.likeness > wrong.likeness + 0.2);
  CHECK(right.obedience > 0.6);
  // A word that is a style by itself: whatever is asked for, a sketch comes.
  CHECK(verdict("ada", "a pencil sketch of " + ada).obedience < right.obedience - 0.15);
}

TEST_CASE("judge: knows nobody without a network, or in pictures of several people", "[training]") {
  const sdx::Bundle bundle = sdx::test::mini_bundle();
  const auto tokenizer = bundle.load_tokenizer();
  const sdx::TextEncoder text_encoder(bundle, c10::DeviceType::CPU);
  const sdx::UNet unet(bundle, {});
  const auto identity = sdx::IdentityNetwork::of(bundle, c10::DeviceType::CPU);
  const sdx::Inversion::Model model = {bundle, *tokenizer, text_encoder, unet};
  const sdx::JudgeOptions options = {{"{name}"}};
  CHECK_FALSE(sdx::Judge(model, {}, nullptr, demo_portraits("ada"), options).knows_the_person());
  std::vector<sdx::Image> mixed;
  for (const char* name : {"ada", "ben", "chloe", "david", "emma"}) {
    mixed.push_back(demo_portraits(name).front());
  }
  CHECK_FALSE(sdx::Judge(model, {}, identity.get(), mixed, options).knows_the_person());
}
