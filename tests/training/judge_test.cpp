#include "sdx/training/judge.h"

#include <ATen/Parallel.h>

#include <cstdlib>
#include <set>
#include <thread>

#include "sdx/image/decode.h"
#include "sdx/model/identity_network.h"
#include "sdx/training/start_vectors.h"
#include "support/mini_bundle.h"
#include "support/tiny_bundle.h"

#include "support/catch.h"

namespace {

std::vector<sdx::Image> demo_portraits(const std::string& name) {
  std::vector<sdx::Image> images;
  for (int i = 1; i <= 6; ++i) {
    images.push_back(
        sdx::decode_image(sdx::test::demo_folder() / name / ("0" + std::to_string(i) + ".png"))
            .image);
  }
  return images;
}

/// Knows one person in everything, and which threads asked.
class Witness : public sdx::IdentityEncoder {
 public:
  std::optional<std::vector<float>> encode(const sdx::Image&) const override {
    threads.insert(std::this_thread::get_id());
    return std::vector<float>{0.6F, 0.8F};
  }
  double same_person_cosine() const override { return 0.5; }

  mutable std::set<std::thread::id> threads;
};

}  // namespace

TEST_CASE("judge: the built-in model knows who is who, and whether it did as asked", "[training]") {
  const sdx::Bundle bundle = sdx::test::mini_bundle();
  const auto tokenizer = bundle.load_tokenizer();
  const sdx::TextEncoders text_encoders(bundle, c10::DeviceType::CPU);
  const sdx::UNet unet(bundle, {});
  const auto identity = sdx::IdentityNetwork::load(bundle, c10::DeviceType::CPU);
  REQUIRE(identity);
  sdx::JudgeOptions options;
  options.prompts = {"a photo of {name}", "{name} as an astronaut", "a pencil sketch of {name}"};
  options.draws = 4;
  const auto verdict = [&](const std::string& portraits, const std::string& words) {
    const sdx::Judge judge({bundle, *tokenizer, text_encoders, unet}, {}, identity.get(),
                           demo_portraits(portraits), options);
    CHECK(judge.knows_the_person());
    const sdx::Embedding word = {
        "X", sdx::phrase_vectors(words, 8, *tokenizer, text_encoders), {}, {}};
    return judge.evaluate(word).evaluation;
  };
  const std::string ada = "a woman with long red hair and round green glasses";
  const sdx::Evaluation right = verdict("ada", ada);
  const sdx::Evaluation wrong = verdict("ben", ada);
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
  const sdx::TextEncoders text_encoders(bundle, c10::DeviceType::CPU);
  const sdx::UNet unet(bundle, {});
  const auto identity = sdx::IdentityNetwork::load(bundle, c10::DeviceType::CPU);
  const sdx::Inversion::Model model = {bundle, *tokenizer, text_encoders, unet};
  const sdx::JudgeOptions options = {{"{name}"}};
  CHECK_FALSE(sdx::Judge(model, {}, nullptr, demo_portraits("ada"), options).knows_the_person());
  std::vector<sdx::Image> mixed;
  for (const char* name : {"ada", "ben", "chloe", "david", "emma"}) {
    mixed.push_back(demo_portraits(name).front());
  }
  CHECK_FALSE(sdx::Judge(model, {}, identity.get(), mixed, options).knows_the_person());
}

TEST_CASE("judge: five previews in two batches are judged as those in one", "[training]") {
  const sdx::Bundle& bundle = sdx::test::tiny_bundle();
  const auto tokenizer = bundle.load_tokenizer();
  const sdx::TextEncoders text_encoders(bundle, c10::DeviceType::CPU);
  const sdx::UNet unet(bundle, {});
  // With one thread pictures are decoded by the caller, and nothing would be shown.
  if (at::get_num_threads() == 1) at::set_num_threads(2);
  sdx::JudgeOptions options;
  options.prompts = {"{name}", "a robot {name}", "{name} in the snow", "hat {name}",
                     "a photo of {name}"};
  options.steps = 4;
  options.draws = 6;
  const sdx::Embedding word = {
      "X", sdx::phrase_vectors("robot", 2, *tokenizer, text_encoders), {}, {}};
  const auto judged = [&](int at_once) {
    const Witness witness;
    options.images_at_once = at_once;
    const sdx::Judge judge({bundle, *tokenizer, text_encoders, unet}, {}, &witness,
                           std::vector<sdx::Image>(3, sdx::Image(64, 64)), options);
    REQUIRE(judge.knows_the_person());
    sdx::EvaluatedImages result = judge.evaluate(word);
    // Judging calls the UNet, which makes pictures in the caller's thread.
    CHECK(witness.threads == std::set{std::this_thread::get_id()});
    return result;
  };
  const sdx::EvaluatedImages two = judged(4);
  const sdx::EvaluatedImages one = judged(5);
  REQUIRE(two.images.size() == 5);
  CHECK(two.evaluation.likeness == one.evaluation.likeness);
  CHECK(std::abs(two.evaluation.likeness - 1) < 1e-6);
  CHECK(two.evaluation.obedience == one.evaluation.obedience);
  CHECK(two.evaluation.obedience > 0);
  for (std::size_t i = 0; i < 5; ++i) {
    int largest = 0;  // batches of other sizes differ by rounding
    for (std::size_t k = 0; k < two.images[i].rgb.size(); ++k) {
      largest = std::max(largest, std::abs(two.images[i].rgb[k] - one.images[i].rgb[k]));
    }
    CHECK(largest <= 1);
  }
  const sdx::EvaluatedImages again = judged(4);
  CHECK(again.images.back().rgb == two.images.back().rgb);
  CHECK(again.evaluation.obedience == two.evaluation.obedience);
}

TEST_CASE("judge: a preview may have its {name} twice, or not at all", "[training]") {
  const sdx::Bundle& bundle = sdx::test::tiny_bundle();
  const auto tokenizer = bundle.load_tokenizer();
  const sdx::TextEncoders text_encoders(bundle, c10::DeviceType::CPU);
  const sdx::UNet unet(bundle, {});
  const sdx::Inversion::Model model = {bundle, *tokenizer, text_encoders, unet};
  CHECK_NOTHROW(sdx::Judge(model, {}, nullptr, {}, {{"{name} and {name}", "a robot"}}));
}
