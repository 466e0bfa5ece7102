#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <sstream>
#include <thread>

#include <ATen/ops/equal.h>

#include "sdx/embedding/embedding_reader.h"
#include "sdx/training/checkpoint.h"
#include "sdx/util/json.h"
#include "sdx/util/random.h"
#include "support/workplace.h"

#include "support/catch.h"

using Catch::Matchers::ContainsSubstring;
using sdx::test::read_bytes;
using sdx::test::RunResult;
using sdx::test::Workplace;
namespace fs = std::filesystem;

namespace {

const std::vector<std::string> kTraining = {
    "faces", "--name",    "Ada", "--steps", "60",   "--batch", "1",          "--milestone-steps",
    "25",    "--threads", "1",   "--norm",  "init", "--lr",    "0.01 cosine"};

std::string read_metrics(const Workplace& place) {
  const fs::path file = place.path() / "runs/Ada/metrics.jsonl";
  return fs::exists(file) ? read_bytes(file) : "";
}

/// The metrics without what time it was.
std::vector<std::string> timeless_metrics(const Workplace& place) {
  std::istringstream text(read_metrics(place));
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) {
    sdx::Json json = sdx::Json::parse(line);
    json.erase("seconds");
    lines.push_back(json.dump());
  }
  return lines;
}

RunResult train(const Workplace& place, const std::string& steps,
                std::vector<std::string> more = {}) {
  std::vector<std::string> arguments = {"faces", "--name", "Ada", "--steps", steps, "--batch", "1"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return place.run("sdx-train", arguments);
}

/// Starts the command and kills it as soon as the metrics have so many bytes.
RunResult run_and_kill(const Workplace& place, const std::vector<std::string>& arguments,
                       std::size_t bytes) {
  sdx::test::Run command = place.command("sdx-train", arguments);
  command.meanwhile = [&](pid_t child) {
    const fs::path file = place.path() / "runs/Ada/metrics.jsonl";
    std::error_code ignored;
    while (sdx::test::is_running(child)) {
      if (fs::exists(file) && fs::file_size(file, ignored) >= bytes) break;
      std::this_thread::yield();
    }
    ::kill(child, SIGKILL);
  };
  return sdx::test::run(command);
}

}  // namespace

// SDX_KILLS=200 was run for docs/training.md.
TEST_CASE("resume: a killed training gives the result of an uninterrupted run") {
  const char* asked = std::getenv("SDX_KILLS");
  const int kills = asked != nullptr ? std::atoi(asked) : 6;
  const Workplace calm;
  REQUIRE(calm.run("sdx-train", kTraining).exit_code == 0);
  const std::string expected = read_bytes(calm.path() / "embeddings/Ada.safetensors");
  const std::size_t whole = read_metrics(calm).size();

  sdx::RandomStream random(7, sdx::RandomPurpose::kTrainingPick);
  int killed = 0;
  while (killed < kills) {
    const Workplace place;
    // Each run is killed about three times on its way.
    std::size_t bytes = 0;
    std::vector<std::string> arguments = kTraining;
    for (;;) {
      bytes += random.below(static_cast<std::uint32_t>(whole / 2));
      const RunResult result = run_and_kill(place, arguments, bytes);
      INFO(result.err);
      if (result.exit_code == 0) break;
      REQUIRE(result.exit_code == 128 + SIGKILL);
      ++killed;
      const bool has_checkpoint = fs::exists(place.path() / "runs/Ada/checkpoints") &&
                                  !fs::is_empty(place.path() / "runs/Ada/checkpoints");
      arguments = has_checkpoint ? std::vector<std::string>{"--resume", "runs/Ada"} : kTraining;
    }
    CHECK(read_bytes(place.path() / "embeddings/Ada.safetensors") == expected);
    CHECK(timeless_metrics(place) == timeless_metrics(calm));
  }
}

TEST_CASE("resume: other options and other pictures are refused with the difference") {
  const Workplace place;
  REQUIRE(place.train("Ada").exit_code == 0);
  const RunResult other = place.run("sdx-train", {"--resume", "runs/Ada", "--lr", "0.5"});
  CHECK(other.exit_code == 64);
  CHECK_THAT(other.err, ContainsSubstring("--lr") && ContainsSubstring("0.5") &&
                            ContainsSubstring("0.01") && ContainsSubstring("--resume-anyway"));

  const RunResult longer =
      place.run("sdx-train", {"--resume", "runs/Ada", "--steps", "4", "--resume-anyway"});
  INFO(longer.err);
  CHECK(longer.exit_code == 0);
  CHECK_THAT(longer.err, ContainsSubstring("Resuming after step 2"));
  CHECK_THAT(longer.err, ContainsSubstring("4 steps"));
  // The run has the new options from then on.
  CHECK(place.run("sdx-train", {"--resume", "runs/Ada"}).exit_code == 0);

  fs::remove(place.path() / "faces/0.png");
  sdx::write_png(place.path() / "faces/0.png", sdx::Image(96, 96));
  const RunResult images = place.run("sdx-train", {"--resume", "runs/Ada", "--steps", "4"});
  CHECK(images.exit_code == 64);
  CHECK_THAT(images.err, ContainsSubstring("the pictures are others") &&
                             ContainsSubstring("(new or changed: 0.png; 1 picture gone or "));

  const RunResult vectors = place.run(
      "sdx-train", {"--resume", "runs/Ada", "--steps", "4", "--vectors", "3", "--resume-anyway"});
  CHECK(vectors.exit_code == 65);
  CHECK_THAT(vectors.err, ContainsSubstring("--vectors: it had 2, found 3"));
}

TEST_CASE("resume: nothing there, an unfinished run, a run in use") {
  const Workplace place;
  const RunResult absent = place.run("sdx-train", {"--resume", "runs/Eve"});
  CHECK(absent.exit_code == 66);
  CHECK_THAT(absent.err, ContainsSubstring("runs/Eve") && ContainsSubstring("runs/<Name>"));

  REQUIRE(place.train("Ada").exit_code == 0);
  fs::remove(place.path() / "embeddings/Ada.safetensors");
  const RunResult again = place.train("Ada");
  CHECK(again.exit_code == 73);
  CHECK_THAT(again.err, ContainsSubstring("--resume runs/Ada") && ContainsSubstring("--force"));

  const int lock = ::open((place.path() / "runs/Ada/.lock").c_str(), O_RDWR);
  REQUIRE(::flock(lock, LOCK_EX) == 0);
  const RunResult second = place.train("Ada", {"--force"});
  ::close(lock);
  CHECK(second.exit_code == 75);
  CHECK_THAT(second.err, ContainsSubstring("runs/Ada: another process works on it"));
}

TEST_CASE("resume: portraits that are elsewhere, and other threads, are said") {
  const Workplace place;
  REQUIRE(place.train("Ada", {"--threads", "1"}).exit_code == 0);
  const RunResult threads = place.run("sdx-train", {"--resume", "runs/Ada", "--threads", "2"});
  CHECK(threads.exit_code == 0);
  CHECK_THAT(threads.err, ContainsSubstring("Note: --threads is 2 and was 1; "));
  const RunResult same = place.run("sdx-train", {"--resume", "runs/Ada"});
  CHECK_THAT(same.err, !ContainsSubstring("Note: --threads"));

  fs::rename(place.path() / "faces", place.path() / "moved");
  const RunResult lost = place.run("sdx-train", {"--resume", "runs/Ada"});
  CHECK(lost.exit_code == 66);
  CHECK_THAT(lost.err,
             ContainsSubstring("faces: no such folder of portraits in " + place.path().string()) &&
                 ContainsSubstring("sdx-train FOLDER --resume runs/Ada"));
  CHECK(place.run("sdx-train", {"moved", "--resume", "runs/Ada"}).exit_code == 0);
}

TEST_CASE("resume: a damaged newest checkpoint costs a few steps, not the training") {
  const Workplace place;
  REQUIRE(train(place, "20").exit_code == 0);
  const std::string expected = read_bytes(place.path() / "embeddings/Ada.safetensors");
  fs::resize_file(place.path() / "runs/Ada/checkpoints/000020.safetensors", 50);
  const RunResult result = place.run("sdx-train", {"--resume", "runs/Ada"});
  INFO(result.err);
  CHECK(result.exit_code == 0);
  CHECK_THAT(result.err, ContainsSubstring("Warning") && ContainsSubstring("000020.safetensors") &&
                             ContainsSubstring("Resuming after step 10"));
  CHECK(read_bytes(place.path() / "embeddings/Ada.safetensors") == expected);
}

TEST_CASE("train: a loss that is not finite ends with the last good word") {
  const Workplace place;
  const RunResult result = train(place, "50", {"--lr", "1e38"});
  CHECK(result.exit_code == 65);
  CHECK_THAT(result.err, ContainsSubstring("--lr") && ContainsSubstring("10 steps in a row") &&
                             ContainsSubstring("last good word"));
  CHECK(sdx::read_embedding(place.path() / "embeddings/Ada.safetensors").name == "Ada");
}

TEST_CASE("train: every way to start, to schedule and to weigh runs") {
  const Workplace place;
  const auto trained = [&](std::vector<std::string> options) {
    options.push_back("--force");
    const RunResult result = place.train("Ada", options);
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
    return read_bytes(place.path() / "embeddings/Ada.safetensors");
  };
  const std::string usual = trained({});
  for (const std::vector<std::string>& options :
       std::vector<std::vector<std::string>>{{"--init", "auto"},
                                             {"--init", "cross"},
                                             {"--norm", "vocab"},
                                             {"--norm", "init"},
                                             {"--lr", "0.01 cosine"},
                                             {"--lr", "0.05:1, 0.02"},
                                             {"--accumulate", "2"},
                                             {"--min-snr", "0.01"},
                                             {"--offset-noise", "0.1"},
                                             {"--timesteps", "200:800"},
                                             {"--kind", "style"},
                                             {"--kind", "object"},
                                             {"--mirror"}}) {
    INFO(options.front() << " " << options.back());
    CHECK(trained(options) != usual);
  }
  // Where the result is the same, or nearly.
  trained({"--memory", "low"});
  trained({"--mask", "face"});
  trained({"--preset", "fast"});
  trained({"--milestone-steps", "0"});
}

TEST_CASE("train: the options of the end") {
  const Workplace place;
  const auto steps_with = [&](std::vector<std::string> options) {
    std::vector<std::string> all = {"faces", "--name", "Ada", "--batch", "1", "--force", "-q"};
    all.insert(all.end(), options.begin(), options.end());
    const RunResult result = place.run("sdx-train", all);
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
    CHECK(result.err.empty());
    return sdx::read_json_file(place.path() / "runs/Ada/summary.json")["steps"].get<int>();
  };
  CHECK(steps_with({"--stop", "never", "--max-steps", "3"}) == 3);
  CHECK(steps_with({"--max-steps", "90", "--min-steps", "20", "--patience", "1000"}) == 90);
  // A random model learns nothing, so its loss is flat from the start.
  const int flat = steps_with({"--max-steps", "200", "--patience", "20", "--min-steps", "20"});
  CHECK(flat < 60);
  CHECK(steps_with({"--max-steps", "200", "--patience", "20", "--min-steps", "90"}) >= 90);
}

TEST_CASE("train: --keep all keeps the word of every milestone") {
  const Workplace place;
  REQUIRE(train(place, "4", {"--milestone-steps", "2", "--keep", "all"}).exit_code == 0);
  for (const char* step : {"000000", "000002", "000004"}) {
    const fs::path file =
        place.path() / "runs/Ada/milestones" / (std::string(step) + ".safetensors");
    CHECK(sdx::read_embedding(file).name == "Ada");
  }
}

TEST_CASE("train: options that cannot be are named") {
  const Workplace place;
  const auto refused = [&](const std::vector<std::string>& options, const std::string& expected) {
    const RunResult result = place.train("Ada", options);
    INFO(result.err);
    CHECK(result.exit_code == 64);
    CHECK_THAT(result.err, ContainsSubstring(expected));
  };
  refused({"--norm", "tight"}, "--norm: expected free, vocab or init");
  refused({"--memory", "little"}, "--memory: expected auto, normal or low");
  refused({"--keep", "some"}, "--keep: expected best or all");
  refused({"--timesteps", "5"}, "--timesteps: expected MIN:MAX");
  refused({"--timesteps", "5:4000"}, "within 0:999");
  refused({"--preset", "hasty"}, "--preset: expected fast, balanced or best");
  refused({"--stop", "maybe"}, "--stop");
  refused({"--lr", "0.1:5"}, "without a step");
}
