#include "sdx/training/training_run.h"

#include <cstdlib>

#include <ATen/ops/equal.h>

#include "sdx/embedding/embedding_reader.h"
#include "sdx/image/png.h"
#include "sdx/tensor/safetensors.h"
#include "sdx/training/loaded_model.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "support/image_files.h"
#include "support/listener.h"
#include "support/temp_folder.h"
#include "support/throws.h"
#include "support/tiny_bundle.h"

#include "support/catch.h"

using Catch::Matchers::ContainsSubstring;
using sdx::test::TempFolder;
using sdx::test::tiny_bundle;
namespace fs = std::filesystem;

namespace {

/// SDX_DATA, as long as it lives.
class OtherData {
 public:
  explicit OtherData(const fs::path& folder) { ::setenv("SDX_DATA", folder.c_str(), 1); }
  ~OtherData() { ::unsetenv("SDX_DATA"); }
  OtherData(const OtherData&) = delete;
  OtherData& operator=(const OtherData&) = delete;
};

/// Three portraits, a model, a run's folder.
class Place {
 public:
  explicit Place(const sdx::Bundle& bundle = tiny_bundle()) : model(bundle, {}) {
    fs::create_directory(folder.path() / "faces");
    for (int i = 0; i < 3; ++i) {
      sdx::Image image(96, 96);
      for (std::size_t p = 0; p < image.rgb.size(); ++p) {
        image.rgb[p] = static_cast<std::uint8_t>(p * (3U + static_cast<unsigned>(i)) / 41 % 256);
      }
      sdx::write_png(folder.path() / "faces" / (std::to_string(i) + ".png"), image);
    }
    spec.portraits = folder.path() / "faces";
    spec.templates = {"a photo of {name}"};
    spec.inversion.name = "Ada";
    spec.inversion.batch_size = 1;
    spec.inversion.steps = 12;
    spec.trainer.stop_when_settled = false;
    spec.trainer.milestone_steps = 0;
    spec.model.model = "tiny";
    spec.configuration = R"({"name": "Ada", "model": "tiny"})";
  }

  /// Trains until the end or, if that is positive, for so many steps.
  sdx::StopReason train(sdx::ResumePolicy policy, int stop_after = 0) {
    notes.clear();
    sdx::RunFolder run_folder(folder.path() / "run", sdx::KeepPolicy::kBest);
    sdx::test::Listener events;
    events.note = [this](const std::string& note) { notes += note + "\n"; };
    int steps = 0;
    events.step = [&steps](const sdx::StepResult&) { ++steps; };
    events.stop = [&] { return stop_after > 0 && steps >= stop_after; };
    sdx::TrainedEmbedding trained =
        sdx::train(sdx::prepare_training(model.bundle, model.target, model.identities, spec,
                                         run_folder, policy, events),
                   model.parts());
    if (trained.reason() == sdx::StopReason::kRequested) {
      trained.save_checkpoint();
    } else {
      summary = trained.save(word(), "test");
    }
    return trained.reason();
  }

  fs::path word() const { return folder.path() / "Ada.safetensors"; }

  TempFolder folder;
  sdx::LoadedModel model;
  sdx::TrainingSpec spec;
  std::string notes;
  sdx::TrainingSummary summary;
};

}  // namespace

TEST_CASE("training run: a small model of drawings warns of photographs", "[training]") {
  const TempFolder folder;
  fs::copy(tiny_bundle().folder(), folder.path() / "small", fs::copy_options::recursive);
  sdx::BundleInfo info = tiny_bundle().info();
  info.known_words = {"a", "photo", "of"};
  sdx::write_bundle_info(folder.path() / "small", info);
  const auto notes = [](Place& place) {
    place.spec.inversion.steps = 1;
    place.train(sdx::ResumePolicy::kStartAnew);
    return place.notes;
  };
  const auto warning = ContainsSubstring("these portraits are photographs");
  // What Place draws is as uneven as a photograph.
  Place photographs(sdx::Bundle::open(folder.path() / "small"));
  CHECK_THAT(notes(photographs), warning && ContainsSubstring("`model`"));
  Place large;
  CHECK_THAT(notes(large), !warning);
  // One drawing among them, and they are drawings.
  sdx::write_png(photographs.folder.path() / "faces/0.png",
                 sdx::test::plain_image(96, 96, {90, 90, 90}));
  CHECK_THAT(notes(photographs), !warning);
}

TEST_CASE("training run: paused and gone on with, the word is the same", "[training]") {
  Place calm;
  calm.spec.notes["sdx.consent"] = "yes";
  REQUIRE(calm.train(sdx::ResumePolicy::kStartAnew) == sdx::StopReason::kAllSteps);
  CHECK(calm.summary.steps == 12);
  CHECK(calm.summary.reason == sdx::StopReason::kAllSteps);
  CHECK(calm.summary.name == "Ada");
  CHECK(calm.summary.model == "tiny");
  CHECK(calm.summary.embedding == calm.word());
  CHECK(sdx::read_file(calm.folder.path() / "run/summary.json") ==
        sdx::to_json_text(calm.summary) + "\n");
  const sdx::Embedding expected = sdx::read_embedding(calm.word());
  CHECK(expected.metadata.at("sdx.consent") == "yes");
  CHECK(expected.metadata.at("sdx.version") == "test");
  CHECK(fs::exists(calm.folder.path() / "run/report.html"));

  Place place;
  CHECK(place.train(sdx::ResumePolicy::kIfSame, 5) == sdx::StopReason::kRequested);
  CHECK_FALSE(fs::exists(place.word()));
  CHECK(place.train(sdx::ResumePolicy::kIfSame) == sdx::StopReason::kAllSteps);
  CHECK_THAT(place.notes, ContainsSubstring("Resuming after step 5"));
  CHECK(at::equal(sdx::read_embedding(place.word()).vectors, expected.vectors));
}

TEST_CASE("training run: a checkpoint of another training", "[training]") {
  Place place;
  REQUIRE(place.train(sdx::ResumePolicy::kStartAnew, 5) == sdx::StopReason::kRequested);
  place.spec.inversion.learning_rate = sdx::LearningRate::parse("0.5");
  const std::string message =
      sdx::test::catch_message<sdx::UsageError>([&] { place.train(sdx::ResumePolicy::kOnlySame); });
  CHECK_THAT(message, ContainsSubstring("`lr`: it had 0.01, found 0.5") &&
                          ContainsSubstring("`resume-anyway`"));
  CHECK(place.train(sdx::ResumePolicy::kAnyway, 2) == sdx::StopReason::kRequested);
  CHECK_THAT(place.notes, ContainsSubstring("Resuming after step 5"));
  place.spec.inversion.learning_rate = sdx::LearningRate::parse("0.25");
  CHECK(place.train(sdx::ResumePolicy::kIfSame) == sdx::StopReason::kAllSteps);
  CHECK(place.notes.find("Resuming") == std::string::npos);

  Place empty;
  CHECK_THROWS_AS(empty.train(sdx::ResumePolicy::kOnlySame), sdx::MissingInputError);
}

TEST_CASE("training run: previews that were edited in their place are another training",
          "[training]") {
  Place place;
  const fs::path data = place.folder.path() / "data";
  fs::create_directories(data);
  fs::copy(fs::path(SDX_SHARE_DIR) / "templates", data / "templates", fs::copy_options::recursive);
  const OtherData used(data);
  REQUIRE(place.train(sdx::ResumePolicy::kStartAnew, 5) == sdx::StopReason::kRequested);
  place.folder.file("data/templates/previews.txt", "{name} on the moon\n");
  const std::string message =
      sdx::test::catch_message<sdx::UsageError>([&] { place.train(sdx::ResumePolicy::kOnlySame); });
  CHECK_THAT(message, ContainsSubstring("the previews are others than before"));

  place.folder.file("data/templates/previews.txt", "on the moon\n");
  const std::string nameless =
      sdx::test::catch_message<sdx::DataError>([&] { place.train(sdx::ResumePolicy::kStartAnew); });
  CHECK_THAT(nameless, ContainsSubstring("previews.txt:1: \"on the moon\" has no {name}"));
}

TEST_CASE("training run: a checkpoint of a later version stays where it is", "[training]") {
  Place place;
  REQUIRE(place.train(sdx::ResumePolicy::kStartAnew, 5) == sdx::StopReason::kRequested);
  const fs::path file = place.folder.path() / "run/checkpoints/000005.safetensors";
  sdx::Safetensors content = sdx::map_safetensors(file);
  for (auto& [name, tensor] : content.tensors) tensor = tensor.clone();
  content.metadata["format"] = "sdx-checkpoint-3";
  sdx::write_safetensors(file, content.tensors, content.metadata);
  CHECK_THROWS_AS(place.train(sdx::ResumePolicy::kIfSame), sdx::LaterVersionError);
  CHECK_THROWS_AS(place.train(sdx::ResumePolicy::kOnlySame), sdx::LaterVersionError);
  CHECK(fs::exists(file));
  CHECK(place.train(sdx::ResumePolicy::kStartAnew) == sdx::StopReason::kAllSteps);
}
