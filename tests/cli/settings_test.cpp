// Settings as a person gives them: options, --config, images, records.

#include "sdx/image/metadata.h"
#include "sdx/image/write.h"
#include "sdx/util/file.h"
#include "sdx/util/json.h"
#include "support/workplace.h"

#include "support/catch.h"

namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;
using sdx::test::RunResult;
using sdx::test::Workplace;

namespace {

/// A picture that says of itself that it was made like this.
std::string image_that_says(const Workplace& place, const std::string& parameters) {
  sdx::ImageMetadata metadata;
  metadata.parameters = parameters;
  sdx::write_image(place.path() / "said.png", sdx::Image(8, 8), {}, metadata);
  return "said.png";
}

std::string only_image(const fs::path& folder) {
  std::string found;
  for (const auto& entry : fs::directory_iterator(folder)) {
    CHECK(found.empty());
    found = entry.path();
  }
  return found;
}

std::string extract_parameters(const fs::path& file) {
  return sdx::read_parameters(file).value_or("");
}

}  // namespace

TEST_CASE("settings: texts that look like numbers come back as they were typed") {
  const Workplace place;
  for (const std::string text : {"1.10", "1e5", "007"}) {
    INFO(text);
    const RunResult first =
        place.run("sdx-train", {"faces", "--name", text, "--init", text, "--print-config"});
    REQUIRE(first.exit_code == 0);
    CHECK(sdx::Json::parse(first.out)["name"] == text);
    sdx::write_file_atomically(place.path() / "c.json", first.out);
    const RunResult again = place.run("sdx-train", {"--config", "c.json", "--print-config"});
    REQUIRE(again.exit_code == 0);
    CHECK(sdx::Json::parse(again.out) == sdx::Json::parse(first.out));
  }
  // The run goes on under the name that it began with.
  REQUIRE(place.train("1.10", {"--milestone-steps", "0"}).exit_code == 0);
  const RunResult resumed =
      place.run("sdx-train", {"--resume", "runs/1.10", "--steps", "3", "--resume-anyway"});
  INFO(resumed.err);
  CHECK(resumed.exit_code == 0);
  CHECK(fs::exists(place.path() / "embeddings/1.10.safetensors"));
  CHECK_FALSE(fs::exists(place.path() / "embeddings/1.1.safetensors"));
}

TEST_CASE("settings: --config names what is wrong in it") {
  const Workplace place;
  const auto complaint = [&](const std::string& json) {
    sdx::write_file_atomically(place.path() / "c.json", json);
    const RunResult result = place.run("sdx-generate", {"robot", "--config", "c.json"});
    CHECK(result.exit_code == 64);
    CHECK_FALSE(fs::exists(place.path() / "pictures"));
    return result.err;
  };
  CHECK_THAT(complaint(R"({"stepz": 3})"),
             ContainsSubstring("c.json: there is no setting --stepz; the nearest are --steps"));
  CHECK_THAT(
      complaint(R"({"steps": "many"})"),
      ContainsSubstring("c.json: --steps: expected a whole number of 1 or more, found \"many\""));
  CHECK_THAT(complaint(R"({"hires": 20})"),
             ContainsSubstring("c.json: --hires: expected a number from 1 to 8, found \"20\""));
  CHECK_THAT(complaint(R"({"tile": "yes"})"),
             ContainsSubstring("c.json: --tile: expected true or false, found \"yes\""));
  CHECK_THAT(complaint(R"({"negative": 1.5})"),
             ContainsSubstring("c.json: --negative: expected a text in quotes, found \"1.5\""));
}

TEST_CASE("settings: an option with = and nothing behind it has the empty value") {
  const Workplace place;
  const RunResult result = place.run(
      "sdx-generate", {"robot", "--negative=", "--steps", "2", "--seed", "3", "--out", "made"});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  const std::string text = extract_parameters(only_image(place.path() / "made"));
  CHECK_THAT(text, ContainsSubstring("robot\nSteps: 2, "));
  const RunResult without = place.run("sdx-generate", {"robot", "--out=", "--steps=1"});
  CHECK(without.exit_code != 0);
  CHECK_FALSE(fs::exists(place.path() / "--steps=1"));
}

TEST_CASE("settings: what is typed is not even looked at in a picture") {
  const Workplace place;
  const std::string image = image_that_says(
      place,
      "robot\nSteps: 3, Sampler: DPM adaptive, Schedule type: Turbo, CFG scale: 2, Seed: -1, "
      "Size: 64x64, Clip skip: -2");
  const RunResult refused = place.run("sdx-generate", {"--from-image", image});
  CHECK(refused.exit_code == 64);
  CHECK_THAT(refused.err, ContainsSubstring("--from-image said.png: "));
  CHECK_THAT(refused.err, ContainsSubstring("DPM adaptive"));
  const RunResult made =
      place.run("sdx-generate", {"--from-image", image, "--sampler", "euler_a", "--schedule",
                                 "karras", "--seed", "5", "--clip-skip", "1", "--out", "made"});
  INFO(made.err);
  REQUIRE(made.exit_code == 0);
  CHECK_THAT(extract_parameters(only_image(place.path() / "made")),
             ContainsSubstring("Steps: 3, Sampler: Euler a, Schedule type: Karras, CFG scale: 2, "
                               "Seed: 5, Size: 64x64"));
}

TEST_CASE("settings: a picture of an empty prompt is made again, bit for bit") {
  const Workplace place;
  REQUIRE(place.run("sdx-generate", {"", "--seed", "3", "--steps", "2", "--out", "a"}).exit_code ==
          0);
  const std::string first = only_image(place.path() / "a");
  const RunResult again = place.run("sdx-generate", {"--from-image", first, "--out", "b"});
  INFO(again.err);
  REQUIRE(again.exit_code == 0);
  CHECK(sdx::test::read_bytes(only_image(place.path() / "b")) == sdx::test::read_bytes(first));
}

TEST_CASE("settings: ranges are said in words") {
  const Workplace place;
  const RunResult result = place.run("sdx-generate", {"robot", "--steps", "0"});
  CHECK(result.exit_code == 64);
  CHECK(result.err ==
        "sdx-generate: error: --steps: expected a whole number of 1 or more, found \"0\"\n");
  CHECK_THAT(place.run("sdx-generate", {"robot", "--strength", "nan"}).err,
             ContainsSubstring("--strength: expected a number from 0 to 1, found \"nan\""));
}

TEST_CASE("settings: parts of a tool are listed with a line each, and an unknown one is named") {
  sdx::test::Run command;
  command.tool = "sdx-roster";
  command.arguments = {"--help"};
  const std::string help = sdx::test::run(command).out;
  for (const char* part : {"check", "run", "slurm", "status", "retry", "page", "forget", "who"}) {
    CHECK_THAT(help, ContainsSubstring(std::string("\n  ") + part + " "));
  }
  command.arguments = {"runn", "team.csv"};
  const RunResult unknown = sdx::test::run(command);
  CHECK(unknown.exit_code == 64);
  CHECK_THAT(unknown.err,
             ContainsSubstring("expected check, run, slurm, status, retry, page, forget or "
                               "who, found \"runn\""));
  command.arguments = {"status"};
  CHECK(sdx::test::run(command).exit_code == 64);
}
