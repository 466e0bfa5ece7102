#include "sdx/model/import/schedule_choice.h"

#include "sdx/model/import/import.h"
#include "sdx/util/error.h"
#include "support/imported.h"
#include "support/synthetic.h"

#include "support/catch.h"

namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;
using sdx::test::catch_message;
using sdx::test::TempFolder;

TEST_CASE("model: a schedule is said in words, and shown as it is typed") {
  const sdx::ScheduleChoice choice = sdx::parse_schedule_choice("trailing, v-prediction,ztsnr");
  CHECK(choice.prediction == sdx::PredictionType::kVelocity);
  CHECK(choice.zero_terminal_snr);
  CHECK(choice.spacing == sdx::TimestepSpacing::kTrailing);
  CHECK_FALSE(choice.betas);
  CHECK(sdx::to_text(choice) == "v_prediction,ztsnr,trailing");
  CHECK(sdx::to_text(sdx::parse_schedule_choice("linear")) == "linear");
  CHECK(sdx::to_text(sdx::parse_schedule_choice("auto")) == "auto");
  CHECK(sdx::to_text({}) == "auto");
  for (const char* wrong : {"velocity", "v_prediction,epsilon", "leading,trailing", "edm"}) {
    INFO(wrong);
    CHECK_THAT(catch_message<sdx::SettingError>([&] { sdx::parse_schedule_choice(wrong); }),
               ContainsSubstring("`schedule`") && ContainsSubstring(wrong));
  }
}

TEST_CASE("model: what a person says of a schedule stands in the model") {
  const TempFolder folder;
  const sdx::test::SyntheticModel model("sd1-tiny");
  model.write_single_file(folder.path() / "one.safetensors", at::kFloat);
  model.write_folder(folder.path() / "folder", at::kFloat);
  for (const char* source : {"one.safetensors", "folder"}) {
    INFO(source);
    const auto import = [&](const char* schedule, std::optional<sdx::PredictionType> prediction) {
      sdx::ImportOptions options;
      options.replace = true;
      options.prediction = prediction;
      options.schedule = sdx::parse_schedule_choice(schedule);
      return sdx::test::import_copy(folder.path() / source, folder.path() / "copy", options)
          .info.noise_schedule;
    };
    const auto said = import("v_prediction,ztsnr,trailing,linear", std::nullopt);
    CHECK(said.prediction_type == sdx::PredictionType::kVelocity);
    CHECK(said.zero_terminal_snr);
    CHECK(said.timestep_spacing == sdx::TimestepSpacing::kTrailing);
    CHECK(said.beta_schedule == sdx::BetaSchedule::kLinear);
    const auto plain = import("auto", std::nullopt);
    CHECK(plain.prediction_type == sdx::PredictionType::kEpsilon);
    CHECK_FALSE(plain.timestep_spacing);
    CHECK(import("trailing", sdx::PredictionType::kVelocity).timestep_spacing ==
          sdx::TimestepSpacing::kTrailing);
    CHECK_THAT(
        catch_message<sdx::UsageError>([&] { import("epsilon", sdx::PredictionType::kVelocity); }),
        ContainsSubstring("contradicts `prediction` v_prediction"));
    CHECK_THAT(catch_message<sdx::UsageError>([&] { import("ztsnr", std::nullopt); }),
               ContainsSubstring("`schedule` ztsnr") && ContainsSubstring("epsilon"));
  }
}
