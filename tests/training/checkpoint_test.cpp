#include "sdx/training/checkpoint.h"

#include <ATen/ops/equal.h>
#include <ATen/ops/ones.h>

#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "support/temp_folder.h"

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
  checkpoint.origin = {{{"lr", "0.005"}, {"seed", 3}, {"name", "Ada"}}, "abc", "def"};
  return checkpoint;
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
  CHECK(state.milestones[0].verdict.obedience == 0.9);
  CHECK(state.best_step == 10);
  CHECK(at::equal(state.best_vectors, written.state.best_vectors));
  CHECK(state.skipped_steps == 2);
  CHECK(read.origin.options == written.origin.options);
  CHECK(read.origin.model_hash == "abc");
  CHECK(read.origin.pictures_hash == "def");
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

TEST_CASE("checkpoint: the newest two are kept", "[training]") {
  const TempFolder folder;
  for (const int step : {10, 20, 100, 1000}) sdx::write_checkpoint(folder.path(), example(step));
  sdx::prune_checkpoints(folder.path());
  CHECK(files_in(folder.path()) ==
        std::vector<std::string>{"000100.safetensors", "001000.safetensors"});
}

TEST_CASE("checkpoint: what differs from another training is said", "[training]") {
  const sdx::TrainingOrigin before = example(1).origin;
  sdx::TrainingOrigin now = before;
  CHECK(sdx::compare(before, now).fatal.empty());
  CHECK(sdx::compare(before, now).other.empty());

  now.options["lr"] = "0.01";
  now.options["threads"] = 7;  // says nothing about the result
  now.pictures_hash = "xyz";
  const sdx::OriginDifference some = sdx::compare(before, now);
  CHECK(some.fatal.empty());
  REQUIRE(some.other.size() == 2);
  CHECK_THAT(some.other[0], ContainsSubstring("pictures"));
  CHECK(some.other[1] == "--lr: it had \"0.005\", found \"0.01\"");

  now.model_hash = "zzz";
  now.options["name"] = "Eve";
  const sdx::OriginDifference more = sdx::compare(before, now);
  REQUIRE(more.fatal.size() == 2);
  CHECK_THAT(more.fatal[0], ContainsSubstring("abc") && ContainsSubstring("zzz"));
}

TEST_CASE("checkpoint: the hash is of what training sees", "[training]") {
  const at::Tensor some = at::ones({1, 4, 2, 2});
  const std::string hash = sdx::hash_of({{some, some}, {}});
  CHECK(hash == sdx::hash_of({{some.clone(), some}, {}}));
  CHECK(hash != sdx::hash_of({{some * 2, some}, {}}));
  CHECK(hash != sdx::hash_of({{some, some}, some}));
}
