// Models that were trained on noise levels: how files and folders say so, and what is refused.

#include "model/import/edm_marks.h"

#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "support/imported.h"
#include "support/synthetic.h"

#include "support/catch.h"

namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;
using sdx::test::import_copy;
using sdx::test::import_refusal;
using sdx::test::SyntheticModel;
using sdx::test::TempFolder;

namespace {

const sdx::TensorMap& plain_file() {
  static const sdx::TensorMap tensors = SyntheticModel("sdxl-tiny").original_weights(at::kFloat);
  return tensors;
}

sdx::TensorMap with(sdx::TensorMap more) {
  more.insert(plain_file().begin(), plain_file().end());
  return more;
}

sdx::BundleInfo import(const sdx::TensorMap& tensors) {
  const TempFolder folder;
  sdx::write_safetensors(folder.path() / "model.safetensors", tensors);
  import_copy(folder.path() / "model.safetensors", folder.path() / "copy");
  return sdx::Bundle::open(folder.path() / "copy").info();  // as the file says it
}

const std::vector<double> kMean = {-1.5, 1.75, -1.25, 2.5};
const std::vector<double> kStd = {8.5, 6, 6.5, 5.25};

sdx::TensorMap playground_marks() {
  return {{"edm_mean", at::tensor(kMean).reshape({1, 4, 1, 1}).to(at::kFloat)},
          {"edm_std", at::tensor(kStd).reshape({1, 4, 1, 1}).to(at::kFloat)}};
}

}  // namespace

TEST_CASE("model: the file of a Playground 2.5 is known by its mean and deviation") {
  const sdx::BundleInfo info = import(with(playground_marks()));
  CHECK(info.noise_schedule.beta_schedule == sdx::BetaSchedule::kEdm);
  CHECK(info.noise_schedule.edm == sdx::EdmLevels{0.002, 80, 0.5});
  CHECK(info.noise_schedule.prediction_type == sdx::PredictionType::kEdm);
  CHECK(info.latent_mean == kMean);
  CHECK(info.latent_deviation == kStd);
  CHECK(info.latent_scale == 1);  // 0.5, over the deviation of its training
}

TEST_CASE("model: the file of a CosXL is known by its levels") {
  const sdx::BundleInfo info = import(with(
      {{"edm_vpred.sigma_max", at::full({}, 96.)}, {"edm_vpred.sigma_min", at::full({}, 0.25)}}));
  CHECK(info.noise_schedule.beta_schedule == sdx::BetaSchedule::kEdm);
  CHECK(info.noise_schedule.edm == sdx::EdmLevels{0.25, 96, 1});
  CHECK(info.noise_schedule.prediction_type == sdx::PredictionType::kVelocity);
  CHECK(info.latent_mean.empty());
  CHECK(info.latent_scale == 0.13025);
}

TEST_CASE("model: marks of noise levels that make no sense are refused by name") {
  sdx::TensorMap marks = playground_marks();
  marks.erase("edm_std");
  CHECK_THAT(import_refusal(with(marks)),
             ContainsSubstring("\"edm_std\": expected 4 values, found none"));
  marks["edm_std"] = at::zeros({3});
  CHECK_THAT(import_refusal(with(marks)), ContainsSubstring("expected 4 values, found 3"));
  CHECK_THAT(import_refusal(with({{"edm_vpred.sigma_max", at::full({1}, 0.001)}})),
             ContainsSubstring("sigma_min < sigma_max"));
}

TEST_CASE("model: a folder with a scheduler of noise levels says the same") {
  const TempFolder folder;
  const fs::path checkpoint = folder.path() / "folder";
  SyntheticModel("sdxl-tiny").write_folder(checkpoint, at::kFloat);
  sdx::Json vae = sdx::read_json_file(checkpoint / "vae/config.json");
  vae.update({{"latents_mean", kMean}, {"latents_std", kStd}, {"scaling_factor", 0.5}});
  sdx::write_file_atomically(checkpoint / "vae/config.json", vae.dump());
  const auto import_with = [&](const sdx::Json& scheduler, const char* schedule = "auto") {
    sdx::write_file_atomically(checkpoint / "scheduler/scheduler_config.json", scheduler.dump());
    sdx::ImportOptions options;
    options.replace = true;
    options.schedule = sdx::parse_schedule_choice(schedule);
    return import_copy(checkpoint, folder.path() / "copy", options);
  };
  const sdx::Json playground = {{"_class_name", "EDMDPMSolverMultistepScheduler"},
                                {"sigma_data", 0.5},
                                {"sigma_max", 80.0},
                                {"prediction_type", "epsilon"}};
  const sdx::BundleInfo from_file = import(with(playground_marks()));
  const sdx::BundleInfo info = import_with(playground).info;
  CHECK(info.sha256.at("unet.safetensors") == from_file.sha256.at("unet.safetensors"));
  CHECK(info.noise_schedule.edm == from_file.noise_schedule.edm);
  CHECK(info.noise_schedule.prediction_type == sdx::PredictionType::kEdm);
  CHECK(info.latent_mean == kMean);
  CHECK(info.latent_deviation == kStd);
  CHECK(info.latent_scale == 1);
  const sdx::ImportReport cos = import_with({{"_class_name", "EDMEulerScheduler"},
                                             {"sigma_data", 1.0},
                                             {"sigma_max", 120.0},
                                             {"sigma_schedule", "exponential"},
                                             {"prediction_type", "v_prediction"}});
  CHECK(cos.info.noise_schedule.prediction_type == sdx::PredictionType::kVelocity);
  CHECK(cos.info.noise_schedule.edm == sdx::EdmLevels{0.002, 120, 1});
  REQUIRE(cos.remarks.size() == 2);
  CHECK_THAT(cos.remarks[1], ContainsSubstring("`schedule` exponential"));
  const auto refused = [&](const char* key, const sdx::Json& value) {
    sdx::Json wrong = playground;
    wrong[key] = value;
    return sdx::test::catch_message<sdx::DataError>([&] { import_with(wrong); });
  };
  CHECK_THAT(refused("sigma_min", 100), ContainsSubstring("scheduler_config.json: sigma_max"));
  CHECK_THAT(refused("sigma_data", 0), ContainsSubstring("scheduler_config.json: sigma_data"));
  CHECK_THAT(refused("rho", 5), ContainsSubstring("scheduler_config.json: rho"));
  CHECK_THAT(refused("prediction_type", "sample"), ContainsSubstring("prediction_type"));
  CHECK_THAT(
      sdx::test::catch_message<sdx::UsageError>([&] { import_with(playground, "trailing"); }),
      ContainsSubstring("`schedule`") && ContainsSubstring("EDM"));
}
