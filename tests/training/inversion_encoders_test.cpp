// Training on a model with two text encoders: which vectors move, and what the UNet is told.

#include <ATen/ops/cat.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/tensor.h>

#include <cmath>

#include "sdx/generation/noise.h"
#include "sdx/training/inversion.h"
#include "sdx/util/error.h"
#include "support/throws.h"
#include "support/tiny_bundle.h"
#include "support/two_encoders.h"

#include "support/catch.h"

using Catch::Matchers::ContainsSubstring;
using sdx::TrainedEncoders;
using sdx::test::catch_message;
using sdx::test::tiny_bundle;

namespace {

/// The toy model with two text encoders.
struct Model {
  sdx::test::TempFolder folder;
  std::unique_ptr<sdx::Tokenizer> tokenizer = tiny_bundle().load_tokenizer();
  sdx::Bundle bundle =
      sdx::test::save_two_encoders(folder.path(), tokenizer->special_tokens().max_length);
  sdx::TextEncoders text_encoders{bundle, c10::DeviceType::CPU};
  sdx::UNet unet{bundle, {}};
  sdx::InversionOptions options;
  sdx::PortraitLatents portraits;

  Model() {
    options.name = "Ada";
    options.init = "person";
    options.vectors = 2;
    options.batch_size = 2;
    options.seed = 5;
    options.learning_rate = sdx::LearningRate::parse("0.02");
    const at::Tensor mean =
        at::cat({sdx::seed_latents(1, 4, 8, 8), sdx::seed_latents(2, 4, 8, 8)}) * 0.8;
    portraits.distribution = {mean, mean * 0 + 0.05};
  }

  sdx::Inversion inversion() const {
    return sdx::Inversion({bundle, *tokenizer, text_encoders, unet}, portraits,
                          {"a photo of {name}", "{name}, smiling"}, options);
  }
};

constexpr TrainedEncoders kAll[] = {TrainedEncoders::kBoth, TrainedEncoders::kFirst,
                                    TrainedEncoders::kSecond};

}  // namespace

TEST_CASE("training: the vectors of a text encoder that is not learnt stay bit for bit",
          "[training][sdxl]") {
  Model model;
  for (const sdx::NormPolicy norm :
       {sdx::NormPolicy::kFree, sdx::NormPolicy::kVocabulary, sdx::NormPolicy::kStart}) {
    for (const std::string init : {"person", "cross"}) {
      for (const TrainedEncoders trained : kAll) {
        INFO(to_string(norm) << ", " << init << ", " << to_string(trained));
        model.options.norm = norm;
        model.options.init = init;
        model.options.train_encoders = trained;
        sdx::Inversion inversion = model.inversion();
        const sdx::EmbeddingVectors start = inversion.state().start.clone();
        for (int i = 0; i < 3; ++i) inversion.step();
        for (const std::size_t encoder : {0U, 1U}) {
          const bool is_same =
              at::equal(inversion.state().vectors.matrix(encoder), start.matrix(encoder));
          // A row of one number that keeps its length stays where it is.
          const bool can_move = encoder == 0 || norm != sdx::NormPolicy::kStart;
          CHECK(is_same != (can_move && sdx::is_trained(trained, encoder)));
        }
        CHECK(inversion.embedding().metadata.at("sdx.train_encoders") == to_string(trained));
      }
    }
  }
}

TEST_CASE("training: the gradient in the vectors that are learnt is the same whichever are",
          "[training][sdxl]") {
  Model model;
  const sdx::EmbeddingVectors both = model.inversion().gradient_at(0);
  for (const TrainedEncoders trained : {TrainedEncoders::kFirst, TrainedEncoders::kSecond}) {
    model.options.train_encoders = trained;
    const sdx::EmbeddingVectors one = model.inversion().gradient_at(0);
    for (const std::size_t encoder : {0U, 1U}) {
      const at::Tensor expected = both.matrix(encoder);
      const bool is_trained = sdx::is_trained(trained, encoder);
      CHECK(at::equal(one.matrix(encoder), is_trained ? expected : expected * 0));
    }
  }
}

TEST_CASE("training: the gradient reaches the second encoder's vectors by its pooled vector too",
          "[training][sdxl]") {
  // The toy's UNet adds the pooled vector's mean, which is 100 × the end's position minus the sum
  // of the text: with it, a row of the second encoder counts once by the context and once by that.
  const Model model;
  const sdx::Inversion inversion = model.inversion();
  const sdx::EmbeddingVectors gradient = inversion.gradient_at(0);
  const auto positions = static_cast<double>(model.text_encoders.positions());
  const double first = gradient.matrix(0).mean().item<double>();   // context alone
  const double second = gradient.matrix(1).mean().item<double>();  // context and pooled
  // Of [L,3] numbers each is a share 1 / (3 L) of the mean, the pooled one counts −1.
  const double share = 1 / (3 * positions);
  CHECK(std::abs(second / first - (share - 1) / share) < 1e-3 * std::abs(second / first));
}

TEST_CASE("training: all kinds of start give vectors for both text encoders", "[training][sdxl]") {
  Model model;
  for (const std::string init : {"auto", "cross", "a robot", ""}) {
    for (const TrainedEncoders trained : kAll) {
      INFO(init);
      model.options.init = init;
      model.options.train_encoders = trained;
      CHECK(model.inversion().state().start.widths() == std::vector<std::int64_t>{2, 1});
    }
  }
}

TEST_CASE("training: a second text encoder is refused where the model has one",
          "[training][sdxl]") {
  const sdx::TextEncoders text_encoders(tiny_bundle(), c10::DeviceType::CPU);
  const sdx::UNet unet(tiny_bundle(), {});
  Model model;
  const auto begin = [&](TrainedEncoders trained) {
    model.options.train_encoders = trained;
    return sdx::Inversion({tiny_bundle(), *model.tokenizer, text_encoders, unet}, model.portraits,
                          {"{name}"}, model.options);
  };
  CHECK(catch_message<sdx::UsageError>([&] { begin(TrainedEncoders::kSecond); }) ==
        "`train-encoders`: expected both or 1, for this model has one text encoder, found \"2\"");
  CHECK_FALSE(begin(TrainedEncoders::kFirst).embedding().metadata.contains("sdx.train_encoders"));
}

TEST_CASE("training: the UNet is told where each row's picture lies in its original",
          "[training][sdxl]") {
  Model model;
  const double plain = model.inversion().step().loss;
  model.portraits.size_ids = at::tensor({64.0F, 64.0F, 0.0F, 0.0F, 64.0F, 64.0F}).repeat({2, 1});
  CHECK(model.inversion().step().loss == plain);  // as for whole pictures
  model.portraits.size_ids = at::cat({at::tensor({900.0F, 1333.0F, 0.0F, 5.0F, 64.0F, 64.0F}),
                                      at::tensor({700.0F, 2001.0F, 9.0F, 0.0F, 64.0F, 64.0F})})
                                 .reshape({2, 6});
  sdx::Inversion inversion = model.inversion();
  sdx::StepTrace trace;
  CHECK(inversion.step(&trace).loss != plain);
  REQUIRE(trace.size_ids.sizes() == at::IntArrayRef({2, 6}));
  for (std::int64_t row = 0; row < 2; ++row) {
    // Which picture a row shows, its latents say.
    const at::Tensor near = (model.portraits.distribution.mean - trace.latents[row]).abs();
    const std::int64_t picture = near.mean({1, 2, 3}).argmin().item<std::int64_t>();
    CHECK(at::equal(trace.size_ids[row], model.portraits.size_ids[picture]));
  }
}
