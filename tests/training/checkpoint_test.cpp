#include "sdx/training/checkpoint.h"

#include <ATen/ops/equal.h>
#include <ATen/ops/ones.h>

#include <cmath>

#include "sdx/tensor/safetensors.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "support/temp_folder.h"
#include "support/throws.h"

#include "support/catch.h"

using Catch::Matchers::ContainsSubstring;
using sdx::test::TempFolder;

namespace {

sdx::Checkpoint example(int steps) {
  sdx::Checkpoint checkpoint;
  sdx::TrainingState& state = checkpoint.state;
  state.inversion.vectors = at::ones({2, 3}) * steps;
  state.inversion.start = at::ones({2, 3});
  state.inversion.start_words = "a \"robot\"";
  state.inversion.steps = steps;
  state.inversion.skipped_in_a_row = 1;
  state.inversion.adam = {at::ones({2, 3}) * 0.1, at::ones({2, 3}) * 0.2, steps};
  state.curve = {{0, 0.1}, {10, 1.0 / 3}};
  state.milestones = {{10, {0.7, 0.9}}};
  state.best_step = 10;
  state.best_vectors = at::ones({2, 3}) * 7;
  state.skipped_steps = 2;
  checkpoint.identity.settings = {{"lr", "0.005"}, {"seed", "3"}, {"name", "\"Ada\""}};
  checkpoint.identity.model_hash = "abc";
  checkpoint.identity.portraits_hash = "def";
  checkpoint.identity.contents = {{"templates", "ghi"}};
  return checkpoint;
}

/// The checkpoint of example(12), with its tensors and metadata changed.
template <typename Change>
sdx::Checkpoint read_changed(Change change) {
  const TempFolder folder;
  sdx::write_checkpoint(folder.path(), example(12));
  const std::filesystem::path file = folder.path() / "000012.safetensors";
  sdx::Safetensors content = sdx::map_safetensors(file);
  for (auto& [name, tensor] : content.tensors) tensor = tensor.clone();
  change(content.tensors, content.metadata);
  sdx::write_safetensors(file, content.tensors, content.metadata);
  return sdx::read_checkpoint(file);
}

std::vector<std::string> files_in(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

TEST_CASE("checkpoint: everything comes back", "[training]") {
  const TempFolder folder;
  const sdx::Checkpoint written = example(12);
  sdx::write_checkpoint(folder.path(), written);
  const sdx::Checkpoint read = sdx::read_checkpoint(folder.path() / "000012.safetensors");
  const sdx::TrainingState& state = read.state;
  CHECK(at::equal(state.inversion.vectors, written.state.inversion.vectors));
  CHECK(at::equal(state.inversion.start, written.state.inversion.start));
  CHECK(state.inversion.start_words == "a \"robot\"");
  CHECK(state.inversion.steps == 12);
  CHECK(state.inversion.skipped_in_a_row == 1);
  CHECK(at::equal(state.inversion.adam.mean, written.state.inversion.adam.mean));
  CHECK(at::equal(state.inversion.adam.square, written.state.inversion.adam.square));
  CHECK(state.inversion.adam.updates == 12);
  REQUIRE(state.curve.size() == 2);
  CHECK(state.curve[1].step == 10);
  CHECK(state.curve[1].loss == 1.0 / 3);
  REQUIRE(state.milestones.size() == 1);
  CHECK(state.milestones[0].step == 10);
  CHECK(state.milestones[0].evaluation.likeness == 0.7);
  CHECK(state.milestones[0].evaluation.obedience == 0.9);
  CHECK(state.best_step == 10);
  CHECK(at::equal(state.best_vectors, written.state.best_vectors));
  CHECK(state.skipped_steps == 2);
  CHECK(read.identity == written.identity);
}

TEST_CASE("checkpoint: a damaged newest one is passed over with a warning", "[training]") {
  const TempFolder folder;
  sdx::write_checkpoint(folder.path(), example(10));
  sdx::write_checkpoint(folder.path(), example(20));
  std::filesystem::resize_file(folder.path() / "000020.safetensors", 100);
  std::string warnings;
  const auto found =
      sdx::newest_checkpoint(folder.path(), [&](const std::string& text) { warnings += text; });
  REQUIRE(found);
  CHECK(found->state.inversion.steps == 10);
  CHECK_THAT(warnings, ContainsSubstring("000020.safetensors"));
  CHECK_FALSE(sdx::newest_checkpoint(folder.path() / "absent", [](const std::string&) {}));
}

TEST_CASE("checkpoint: steps that are no steps and shapes that do not fit are damage",
          "[training]") {
  const auto refusal = [](const std::string& key, const at::Tensor& tensor) {
    return sdx::test::catch_message<sdx::DataError>(
        [&] { read_changed([&](auto& tensors, auto&) { tensors[key] = tensor; }); });
  };
  const auto steps = [](double step) { return at::ones({1}, at::kDouble) * step; };
  CHECK_THAT(refusal("milestones.step", steps(std::nan(""))), ContainsSubstring("found nan"));
  CHECK_THAT(refusal("milestones.step", steps(1e300)), ContainsSubstring("a step of 0 or more"));
  CHECK_THAT(refusal("milestones.step", steps(-1)), ContainsSubstring("found -1"));
  CHECK_THAT(refusal("curve", at::ones({1, 2}, at::kDouble) * 1e10),
             ContainsSubstring("000012.safetensors: expected a step"));
  for (const char* key : {"start", "adam.mean", "adam.square", "best_vectors"}) {
    CHECK_THAT(refusal(key, at::ones({3, 2})), ContainsSubstring("tensor \"" + std::string(key)));
  }
}

TEST_CASE("checkpoint: the newest two are kept", "[training]") {
  const TempFolder folder;
  for (const int step : {10, 20, 100, 1000}) sdx::write_checkpoint(folder.path(), example(step));
  sdx::prune_checkpoints(folder.path());
  CHECK(files_in(folder.path()) ==
        std::vector<std::string>{"000100.safetensors", "001000.safetensors"});

  for (const int step : {999990, 1000000}) sdx::write_checkpoint(folder.path(), example(step));
  sdx::prune_checkpoints(folder.path());
  CHECK(files_in(folder.path()) ==
        std::vector<std::string>{"1000000.safetensors", "999990.safetensors"});
  CHECK(sdx::newest_checkpoint(folder.path(), [](const std::string&) {})->state.inversion.steps ==
        1000000);
}

TEST_CASE("checkpoint: one of commit 4ce8870 is read", "[training]") {
  const sdx::Checkpoint read =
      sdx::read_checkpoint(std::filesystem::path(SDX_TEST_DATA) /
                           "team-4ce8870/runs/Chloe1/checkpoints/000015.safetensors");
  CHECK(read.state.inversion.steps == 15);
  CHECK(read.state.inversion.adam.updates == 15);
  REQUIRE(read.state.milestones.size() == 2);
  CHECK(read.state.milestones[1].step == 10);
  CHECK(read.state.milestones[1].evaluation.obedience > 0);
  REQUIRE(read.state.curve.size() == 2);
  CHECK(read.identity.settings.at("name") == "\"Chloe1\"");
  CHECK(read.identity.settings.at("max-steps") == "30");
  CHECK(read.identity.settings.at("stop") == "\"never\"");
  CHECK(read.identity.model_hash == "f96329ecd5");
  CHECK(read.identity.contents.empty());
}

TEST_CASE("checkpoint: milestones may have more figures, or fewer", "[training]") {
  const sdx::Checkpoint more = read_changed(
      [](auto& tensors, auto&) { tensors["milestones.beauty"] = at::ones({1}, at::kDouble); });
  CHECK(more.state.milestones[0].evaluation.likeness == 0.7);
  const sdx::Checkpoint fewer =
      read_changed([](auto& tensors, auto&) { tensors.erase("milestones.likeness"); });
  REQUIRE(fewer.state.milestones.size() == 1);
  CHECK(fewer.state.milestones[0].evaluation.likeness == 0);
  CHECK(fewer.state.milestones[0].evaluation.obedience == 0.9);
  CHECK_THROWS_AS(read_changed([](auto& tensors, auto&) {
                    tensors["milestones.likeness"] = at::ones({2}, at::kDouble);
                  }),
                  sdx::DataError);
}

TEST_CASE("checkpoint: what is missing has its default, where there can be one", "[training]") {
  const sdx::Checkpoint read = read_changed([](auto&, auto& metadata) {
    for (const char* key : {"skipped_steps", "skipped_in_a_row", "start_words"})
      metadata.erase(key);
  });
  CHECK(read.state.skipped_steps == 0);
  CHECK(read.state.inversion.skipped_in_a_row == 0);
  CHECK(read.state.inversion.start_words.empty());
  CHECK(read.state.inversion.steps == 12);
  const auto missing = [](const char* key) {
    return sdx::test::catch_message<sdx::DataError>(
        [&] { read_changed([&](auto&, auto& metadata) { metadata.erase(key); }); });
  };
  CHECK_THAT(missing("steps"), ContainsSubstring("\"steps\" is missing"));
  CHECK_THAT(missing("adam.updates"), ContainsSubstring("\"adam.updates\" is missing"));
  CHECK_THROWS_AS(read_changed([](auto& tensors, auto&) { tensors.erase("start"); }),
                  sdx::DataError);
}

TEST_CASE("checkpoint: a number that is none is named", "[training]") {
  for (const char* text : {"", "12 ", "twelve", "-1", "99999999999"}) {
    const std::string message = sdx::test::catch_message<sdx::DataError>(
        [&] { read_changed([&](auto&, auto& metadata) { metadata["steps"] = text; }); });
    CHECK_THAT(message, ContainsSubstring("\"steps\" in its metadata") &&
                            ContainsSubstring("found \"" + std::string(text) + "\""));
  }
}

TEST_CASE("checkpoint: one of a later version is refused, not passed over", "[training]") {
  const auto format = [](const char* text) {
    return [text](auto&, auto& metadata) { metadata["format"] = text; };
  };
  const std::string message = sdx::test::catch_message<sdx::LaterVersionError>(
      [&] { read_changed(format("sdx-checkpoint-3")); });
  CHECK_THAT(message, ContainsSubstring("made by a later version of sdx"));
  CHECK_THROWS_AS(read_changed(format("another-format")), sdx::DataError);

  const TempFolder folder;
  sdx::write_checkpoint(folder.path(), example(10));
  sdx::write_checkpoint(folder.path(), example(20));
  const std::filesystem::path newest = folder.path() / "000020.safetensors";
  sdx::Safetensors content = sdx::map_safetensors(newest);
  for (auto& [name, tensor] : content.tensors) tensor = tensor.clone();
  content.metadata["format"] = "sdx-checkpoint-3";
  sdx::write_safetensors(newest, content.tensors, content.metadata);
  CHECK_THROWS_AS(sdx::newest_checkpoint(folder.path(), [](const std::string&) {}),
                  sdx::LaterVersionError);
}

TEST_CASE("checkpoint: the hash is of what training sees", "[training]") {
  const at::Tensor some = at::ones({1, 4, 2, 2});
  const std::string hash = sdx::hash_portraits({{some, some}, {}});
  CHECK(hash == sdx::hash_portraits({{some.clone(), some}, {}}));
  CHECK(hash != sdx::hash_portraits({{some * 2, some}, {}}));
  CHECK(hash != sdx::hash_portraits({{some, some}, some}));
}
