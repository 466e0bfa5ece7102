// A team's folder and a stopped training of commit 4ce8870 (tests/data/team-4ce8870) go on.

#include <map>

#include <ATen/ops/allclose.h>

#include "sdx/embedding/embedding_reader.h"
#include "sdx/tensor/safetensors.h"
#include "sdx/util/json.h"
#include "support/run.h"
#include "support/temp_folder.h"

#include "support/catch.h"

using Catch::Matchers::ContainsSubstring;
using sdx::test::read_bytes;
using sdx::test::RunResult;
using sdx::test::TempFolder;
namespace fs = std::filesystem;

namespace {

class OldPlace {
 public:
  OldPlace() {
    fs::copy(data(), path(), fs::copy_options::recursive);
    const std::string checkpoint = fs::path(SDX_TEST_DATA) / "tiny";
    const RunResult imported =
        run("sdx-model", {"import", checkpoint, "--name", "tiny", "--models-dir", "models"});
    INFO(imported.err);
    REQUIRE(imported.exit_code == 0);
  }

  static fs::path data() { return fs::path(SDX_TEST_DATA) / "team-4ce8870"; }
  const fs::path& path() const { return folder_.path(); }

  RunResult run(const std::string& tool, const std::vector<std::string>& arguments) const {
    sdx::test::Run command;
    command.tool = tool;
    command.arguments = arguments;
    command.folder = path();
    return sdx::test::run(command);
  }

  /// The command that made the team.
  RunResult run_team(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments = {
        "run",  "team.csv", "--model", "models/tiny", "--prompts", "prompts.txt", "--out",
        "team", "--steps",  "4",       "--size",      "64x64",     "--training",  "training.json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run("sdx-roster", arguments);
  }

  /// Embeddings and pictures by their path in the team's folder.
  std::map<std::string, std::string> results() const {
    std::map<std::string, std::string> files;
    for (const char* place : {"team/embeddings", "team/pictures"}) {
      for (const auto& entry : fs::recursive_directory_iterator(path() / place)) {
        if (!entry.is_regular_file() || entry.path().filename() == ".lock") continue;
        files[entry.path().lexically_relative(path()).string()] = read_bytes(entry.path());
      }
    }
    return files;
  }

  /// Changes a JSON file.
  template <typename Change>
  void change(const std::string& file, Change change) const {
    sdx::Json json = sdx::read_json_file(path() / file);
    change(json);
    folder_.file(file, json.dump());
  }

 private:
  TempFolder folder_;
};

}  // namespace

TEST_CASE("earlier version: everybody of a team is done already, and no picture goes") {
  const OldPlace place;
  const auto before = place.results();
  REQUIRE(before.size() == 2 + 4);

  const RunResult status = place.run("sdx-roster", {"status", "team"});
  INFO(status.err);
  CHECK(status.exit_code == 0);
  CHECK(status.out == "<Ada1>: trained; 2 of 2 pictures\n<1.10>: trained; 2 of 2 pictures\n");

  for (const std::vector<std::string>& more :
       std::vector<std::vector<std::string>>{{}, {"--dtype", "fp32"}}) {
    const RunResult again = place.run_team(more);
    INFO(again.err);
    CHECK(again.exit_code == 0);
    CHECK(again.err.find(": training, ") == std::string::npos);
    CHECK_THAT(again.err, ContainsSubstring("<Ada1>: was trained before; 2 of 2 pictures"));
    CHECK_THAT(again.err, ContainsSubstring("2 of 2 people done, 0 pictures made now"));
    CHECK((place.results() == before));
  }
  CHECK(sdx::read_json_file(place.path() / "team/summary.json")["people"][1]["steps"] == 20);
}

TEST_CASE("earlier version: what differs from an old record is said in the words of the options") {
  const OldPlace place;
  place.change("training.json", [](sdx::Json& json) { json["vectors"] = 3; });
  const RunResult status = place.run("sdx-roster", {"status", "team"});
  INFO(status.err);
  CHECK(status.exit_code == 0);
  CHECK_THAT(status.out,
             ContainsSubstring("<Ada1>: to be trained, --vectors: it had 2, found 3; "));
}

TEST_CASE("earlier version: a record of a later version is refused, and nothing is removed") {
  const OldPlace place;
  const auto before = place.results();
  place.change("team/people/Ada1/record.json", [](sdx::Json& json) {
    json["identity"] = {{"version", 9}, {"settings", sdx::Json::object()}};
  });
  const std::string record = read_bytes(place.path() / "team/people/Ada1/record.json");
  const RunResult result = place.run_team();
  INFO(result.err);
  CHECK(result.exit_code == 65);
  CHECK_THAT(result.err, ContainsSubstring("record.json: made by a later version of sdx"));
  CHECK_THAT(result.err, ContainsSubstring("<1.10>: was trained before"));
  CHECK((place.results() == before));
  CHECK(read_bytes(place.path() / "team/people/Ada1/record.json") == record);
  CHECK(place.run("sdx-roster", {"status", "team"}).exit_code == 65);
}

TEST_CASE("earlier version: a training that was stopped goes on, to the same vectors") {
  const OldPlace place;
  const RunResult result = place.run("sdx-train", {"--resume", "runs/Chloe1"});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK_THAT(result.err, ContainsSubstring("Resuming after step 15"));
  CHECK_THAT(result.err, ContainsSubstring("30 steps in"));
  const sdx::Embedding made = sdx::read_embedding(place.path() / "embeddings/Chloe1.safetensors");
  const sdx::Embedding expected =
      sdx::read_embedding(OldPlace::data() / "embeddings/Chloe1-after-30-steps.safetensors");
  CHECK(at::allclose(made.vectors, expected.vectors, /*rtol=*/0, /*atol=*/1e-4));
  CHECK(made.metadata.at("sdx.steps") == "30");

  const RunResult other = place.run("sdx-train", {"--resume", "runs/Chloe1", "--seed", "5"});
  CHECK(other.exit_code == 64);
  CHECK_THAT(other.err, ContainsSubstring("--seed: it had 0, found 5") &&
                            ContainsSubstring("--resume-anyway"));
}

TEST_CASE("earlier version: a checkpoint of a later version is refused") {
  const OldPlace place;
  const fs::path file = place.path() / "runs/Chloe1/checkpoints/000015.safetensors";
  sdx::Safetensors content = sdx::map_safetensors(file);
  for (auto& [name, tensor] : content.tensors) tensor = tensor.clone();
  content.metadata["format"] = "sdx-checkpoint-3";
  sdx::write_safetensors(file, content.tensors, content.metadata);
  const RunResult result = place.run("sdx-train", {"--resume", "runs/Chloe1"});
  CHECK(result.exit_code == 65);
  CHECK_THAT(result.err, ContainsSubstring("000015.safetensors: made by a later version of sdx"));
  CHECK(fs::exists(file));
}
