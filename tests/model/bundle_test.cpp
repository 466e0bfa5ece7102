#include "sdx/model/bundle.h"

#include <cstdlib>

#include "sdx/model/inspect.h"
#include "sdx/model/text_encoder.h"
#include "sdx/model/unet.h"
#include "sdx/model/vae.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "sdx/util/json.h"
#include "support/temp_folder.h"
#include "support/tiny_bundle.h"

#include "support/catch.h"

namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;
using sdx::test::TempFolder;
using sdx::test::tiny_bundle;

namespace {

/// A copy of the tiny bundle that a test may damage.
sdx::Bundle copy_of_tiny(const TempFolder& folder) {
  fs::copy(tiny_bundle().folder(), folder.path() / "copy", fs::copy_options::recursive);
  return sdx::Bundle::open(folder.path() / "copy");
}

void flip_a_byte(const fs::path& file) {
  std::string bytes = sdx::read_file(file);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  sdx::write_file_atomically(file, bytes);
}

template <typename Action>
std::string data_error(Action&& action) {
  try {
    action();
  } catch (const sdx::DataError& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("model: bundle.json comes back as it was written", "[model]") {
  const TempFolder folder;
  sdx::BundleInfo info = tiny_bundle().info();
  info.licence = "MIT";
  info.advice = {4.5, sdx::SamplerKind::kHeun};
  sdx::write_bundle_info(folder.path(), info);
  const sdx::BundleInfo back = sdx::Bundle::open(folder.path()).info();
  CHECK(back.name == "tiny");
  CHECK(back.context_width() == 32);
  CHECK(back.native_size_px == 64);
  CHECK(back.latent_scale == 0.5);
  CHECK(back.advice.guidance_scale == 4.5);
  CHECK(back.advice.sampler == sdx::SamplerKind::kHeun);
  CHECK(back.licence == "MIT");
  CHECK(back.noise_schedule.steps_offset == 1);
  CHECK_FALSE(back.noise_schedule.zero_terminal_snr);
  CHECK_FALSE(back.noise_schedule.timestep_spacing);
  CHECK(back.tokenizer.kind == sdx::TokenizerKind::kSentencePiece);
  CHECK(back.tokenizer.special_tokens.end == 2);
  CHECK(back.tokenizer.special_tokens.max_length == 77);
}

TEST_CASE("model: bundle.json of a model with one text encoder has the keys that it always had",
          "[model]") {
  const TempFolder folder;
  sdx::write_bundle_info(folder.path(), tiny_bundle().info());
  std::vector<std::string> keys;
  const sdx::Json json = sdx::read_json_file(folder.path() / "bundle.json");
  for (const auto& [key, value] : json.items()) keys.push_back(key);
  CHECK(keys == std::vector<std::string>{
                    "format", "name", "family", "text_width", "text_layers", "native_size_px",
                    "latent_channels", "vae_factor", "latent_scale", "guidance_scale", "init_text",
                    "noise_schedule", "tokenizer", "dtype", "licence", "origin", "sha256"});
  CHECK(json["text_width"] == 32);
  CHECK(json["text_layers"] == 3);
}

TEST_CASE("model: several text encoders come back as they were written", "[model]") {
  const TempFolder folder;
  sdx::BundleInfo info = tiny_bundle().info();
  info.text_encoders = {{"text_encoder", 768, 12}, {"text_encoder_2", 1280, 32, 0}};
  info.size_ids = true;
  sdx::write_bundle_info(folder.path(), info);
  const sdx::BundleInfo back = sdx::Bundle::open(folder.path()).info();
  CHECK((back.text_encoders == info.text_encoders));
  CHECK(back.size_ids);
  CHECK(back.text_widths() == std::vector<std::int64_t>{768, 1280});
  CHECK(back.context_width() == 2048);
  CHECK(back.text_layers() == 12);

  sdx::Json json = sdx::read_json_file(folder.path() / "bundle.json");
  json["text_encoders"] = sdx::Json::array();
  std::filesystem::remove(folder.path() / "bundle.json");
  sdx::write_file_atomically(folder.path() / "bundle.json", json.dump());
  CHECK_THROWS_AS(sdx::Bundle::open(folder.path()), sdx::DataError);
}

TEST_CASE("model: a schedule's rarer settings come back as they were written", "[model]") {
  const TempFolder folder;
  sdx::BundleInfo info = tiny_bundle().info();
  info.noise_schedule.prediction_type = sdx::PredictionType::kSample;
  info.noise_schedule.zero_terminal_snr = true;
  info.noise_schedule.timestep_spacing = sdx::TimestepSpacing::kTrailing;
  sdx::write_bundle_info(folder.path(), info);
  const sdx::NoiseScheduleConfig back = sdx::Bundle::open(folder.path()).info().noise_schedule;
  CHECK(back.prediction_type == sdx::PredictionType::kSample);
  CHECK(back.zero_terminal_snr);
  CHECK(back.timestep_spacing == sdx::TimestepSpacing::kTrailing);
}

TEST_CASE("model: a schedule of noise levels comes back as it was written", "[model]") {
  const TempFolder folder;
  sdx::BundleInfo info = tiny_bundle().info();
  info.noise_schedule.beta_schedule = sdx::BetaSchedule::kEdm;
  info.noise_schedule.edm = {0.01, 96, 0.5};
  info.noise_schedule.prediction_type = sdx::PredictionType::kEdm;
  info.latent_mean = {1, 2, 3, 4};
  info.latent_deviation = {4, 3, 2, 1.5};
  sdx::write_bundle_info(folder.path(), info);
  const sdx::BundleInfo back = sdx::Bundle::open(folder.path()).info();
  CHECK(back.noise_schedule.beta_schedule == sdx::BetaSchedule::kEdm);
  CHECK(back.noise_schedule.edm == info.noise_schedule.edm);
  CHECK(back.noise_schedule.prediction_type == sdx::PredictionType::kEdm);
  CHECK(back.latent_mean == info.latent_mean);
  CHECK(back.latent_deviation == info.latent_deviation);
  sdx::Json json = sdx::read_json_file(folder.path() / "bundle.json");
  json["latent_mean"] = {1, 2};
  sdx::write_file_atomically(folder.path() / "bundle.json", json.dump());
  CHECK_THAT(data_error([&] { sdx::Bundle::open(folder.path()); }),
             ContainsSubstring("latent_mean") && ContainsSubstring("4 channels, found 2"));
}

TEST_CASE("model: one changed byte in any file is refused, the hashes named", "[model]") {
  for (const auto& [file, hash] : tiny_bundle().info().sha256) {
    INFO(file);
    const TempFolder folder;
    const sdx::Bundle bundle = copy_of_tiny(folder);
    flip_a_byte(bundle.folder() / file);
    const std::string message = data_error([&] {
      bundle.load_tokenizer();
      sdx::TextEncoder(bundle, c10::DeviceType::CPU);
      sdx::UNet(bundle, {});
      sdx::VaeEncoder(bundle, {});
      sdx::VaeDecoder(bundle, {});
    });
    CHECK_THAT(message, ContainsSubstring(file));
    CHECK_THAT(message, ContainsSubstring("expected SHA-256 " + hash));
  }
}

TEST_CASE("model: weights are read for their hash only if size or time have changed", "[model]") {
  const TempFolder folder;
  const sdx::Bundle copied = copy_of_tiny(folder);
  sdx::write_bundle_info(copied.folder(), copied.info());
  const sdx::Bundle bundle = sdx::Bundle::open(copied.folder());
  REQUIRE(bundle.info().stamps.size() == 3);

  const fs::path weights = bundle.folder() / "vae.safetensors";
  const auto time = fs::last_write_time(weights);
  flip_a_byte(weights);
  fs::last_write_time(weights, time);
  CHECK(bundle.checked_file("vae.safetensors") == weights);
  CHECK_THAT(data_error([&] { bundle.reread_file("vae.safetensors"); }),
             ContainsSubstring("expected SHA-256"));
  const std::vector<std::string> damage = sdx::find_damage(bundle);
  REQUIRE(damage.size() == 1);
  CHECK_THAT(damage.front(), ContainsSubstring("vae.safetensors"));

  fs::last_write_time(weights, time + std::chrono::seconds(1));
  CHECK_THAT(data_error([&] { bundle.checked_file("vae.safetensors"); }),
             ContainsSubstring("expected SHA-256"));
  fs::last_write_time(weights, time);
  fs::resize_file(weights, fs::file_size(weights) - 1);
  fs::last_write_time(weights, time);
  CHECK_THAT(data_error([&] { bundle.checked_file("vae.safetensors"); }),
             ContainsSubstring("expected SHA-256"));
  fs::remove(weights);
  CHECK_THROWS_AS(bundle.checked_file("vae.safetensors"), sdx::MissingInputError);
}

TEST_CASE("model: a program is hashed whatever its size and time say", "[model]") {
  const TempFolder folder;
  const sdx::Bundle copied = copy_of_tiny(folder);
  sdx::write_bundle_info(copied.folder(), copied.info());
  const sdx::Bundle bundle = sdx::Bundle::open(copied.folder());
  const fs::path program = bundle.folder() / "unet.ts";
  const auto time = fs::last_write_time(program);
  flip_a_byte(program);
  fs::last_write_time(program, time);
  CHECK_THAT(data_error([&] { sdx::UNet(bundle, {}); }), ContainsSubstring("unet.ts: changed"));
}

TEST_CASE("model: a program that the manifest does not list is never loaded", "[model]") {
  const TempFolder folder;
  copy_of_tiny(folder);
  const fs::path manifest = folder.path() / "copy/bundle.json";
  sdx::Json json = sdx::read_json_file(manifest);
  json["sha256"].erase("unet.ts");
  sdx::write_file_atomically(manifest, json.dump());
  const sdx::Bundle bundle = sdx::Bundle::open(folder.path() / "copy");
  CHECK_THAT(data_error([&] { sdx::UNet(bundle, {}); }),
             ContainsSubstring("not in the bundle's manifest"));
}

TEST_CASE("model: a damaged or older bundle.json names its key", "[model]") {
  const TempFolder folder;
  const fs::path manifest = folder.path() / "bundle.json";
  CHECK_THROWS_AS(sdx::Bundle::open(folder.path()), sdx::MissingInputError);
  sdx::write_file_atomically(manifest, "{");
  CHECK_THROWS_AS(sdx::Bundle::open(folder.path()), sdx::DataError);
  sdx::write_file_atomically(manifest, R"({"format": 99})");
  CHECK_THAT(data_error([&] { sdx::Bundle::open(folder.path()); }),
             ContainsSubstring("format: expected 2, found 99"));
  sdx::write_file_atomically(manifest, R"({"format": 2, "name": 3})");
  CHECK_THAT(data_error([&] { sdx::Bundle::open(folder.path()); }), ContainsSubstring("\"name\""));
}

TEST_CASE("model: bundles are found by path and by name", "[model]") {
  CHECK(sdx::Bundle::find(tiny_bundle().folder().string()).info().name == "tiny");
  ::setenv("SDX_MODELS", tiny_bundle().folder().parent_path().c_str(), 1);
  CHECK(sdx::Bundle::find("tiny").info().name == "tiny");
  try {
    sdx::Bundle::find("huge");
    FAIL("found a model that does not exist");
  } catch (const sdx::MissingInputError& error) {
    CHECK_THAT(error.what(), ContainsSubstring("known are: "));
    CHECK_THAT(error.what(), ContainsSubstring("tiny"));
  }
  ::unsetenv("SDX_MODELS");
}
