#include "sdx/training/run_folder.h"

#include "sdx/util/error.h"
#include "support/temp_folder.h"
#include "support/throws.h"

#include "support/catch.h"

using sdx::test::contains;
using sdx::test::TempFolder;
namespace fs = std::filesystem;

TEST_CASE("training: a run that starts anew removes what a training left, and nothing else",
          "[training]") {
  const TempFolder place;
  for (const char* folder : {"checkpoints", "previews", "milestones"}) {
    fs::create_directory(place.path() / folder);
  }
  const auto ours = {"checkpoints/000050.safetensors", "previews/000050.png",
                     "milestones/1000000.safetensors", "metrics.jsonl", "report.html"};
  const auto others = {"checkpoints/v1-5-pruned.safetensors", "checkpoints/50.safetensors",
                       "previews/holiday.png", "config.json", "notes.txt"};
  for (const char* file : ours) place.file(file, "x");
  for (const char* file : others) place.file(file, "x");
  const TempFolder elsewhere;
  elsewhere.file("000100.safetensors", "x");
  fs::create_directory_symlink(elsewhere.path(), place.path() / "checkpoints/more");

  sdx::RunFolder run(place.path(), sdx::KeepPolicy::kBest);
  CHECK_FALSE(run.steps_done());  // no file there is a checkpoint
  run.clear();
  for (const char* file : ours) CHECK_FALSE(fs::exists(place.path() / file));
  for (const char* file : others) CHECK(fs::exists(place.path() / file));
  CHECK(fs::exists(elsewhere.path() / "000100.safetensors"));
}

TEST_CASE("training: what no training made is not replaced", "[training]") {
  const TempFolder place;
  place.file("report.html", "mine");
  sdx::RunFolder run(place.path(), sdx::KeepPolicy::kBest);
  const std::string message =
      sdx::test::catch_message<sdx::CannotCreateError>([&] { run.clear(); });
  CHECK(contains(message, "report.html was made by no training (config.json is missing"));
  CHECK(fs::exists(place.path() / "report.html"));
}
