// sdx-roster on a roster of three people and the tiny model.

#include <sys/mount.h>

#include <csignal>
#include <cstdlib>
#include <future>
#include <thread>

#include <ATen/ops/allclose.h>

#include "sdx/embedding/embedding_reader.h"
#include "sdx/image/metadata.h"
#include "sdx/util/json.h"
#include "support/team_place.h"

#include "support/catch.h"

using Catch::Matchers::ContainsSubstring;
using sdx::test::count_in;
using sdx::test::differences;
using sdx::test::read_bytes;
using sdx::test::RunResult;
using sdx::test::TeamPlace;
namespace fs = std::filesystem;

namespace {

std::map<std::string, fs::file_time_type> read_times(const TeamPlace& place) {
  std::map<std::string, fs::file_time_type> times;
  for (const auto& [file, bytes] : place.results()) {
    times[file] = fs::last_write_time(place.path() / "team" / file);
  }
  return times;
}

}  // namespace

TEST_CASE("roster: everybody is trained and drawn, once") {
  const TeamPlace place;
  const RunResult first = place.run_team();
  INFO(first.err);
  REQUIRE(first.exit_code == 0);
  CHECK(first.out == "team/index.html\n");
  CHECK(place.results().size() == 3 + 3 * 2 + 1);
  CHECK(fs::exists(place.path() / "team/pictures/Ada Ben"));
  CHECK_THAT(first.err, ContainsSubstring("3 people, 7 pictures: about"));
  CHECK_THAT(first.err, ContainsSubstring("3 of 3 people done, 7 pictures made now"));
  const sdx::Json summary = place.read_summary();
  CHECK(summary["done"] == true);
  CHECK(summary["people"].size() == 3);
  CHECK(summary["people"][1]["name"] == "Ben");
  CHECK(summary["people"][1]["steps"] == 20);
  CHECK_THAT(read_bytes(place.path() / "team/index.html"), ContainsSubstring("Robot"));

  const auto times = read_times(place);
  const RunResult second = place.run_team();
  CHECK(second.exit_code == 0);
  CHECK(count_in(second.err, "was trained before") == 2 * 3);
  CHECK_THAT(second.err, ContainsSubstring("0 pictures made now"));
  CHECK((read_times(place) == times));
}

TEST_CASE("roster: only whom a change concerns is trained again, and it is said why") {
  const TeamPlace place;
  REQUIRE(place.run_team().exit_code == 0);
  const auto before = place.results();

  place.add_portraits("ben", 4);
  const RunResult portraits = place.run_team();
  INFO(portraits.err);
  REQUIRE(portraits.exit_code == 0);
  CHECK(count_in(portraits.err, ": training, ") == 1);
  CHECK_THAT(portraits.err, ContainsSubstring("<Ben>: training, the pictures are others"));
  const auto after = place.results();
  CHECK(after.size() == before.size());  // none of the old pictures is left
  int same = 0;
  for (const auto& [file, bytes] : before) {
    const bool is_same = after.contains(file) && after.at(file) == bytes;
    CHECK(is_same == (file.find("Ben") == std::string::npos));
    if (is_same) ++same;
  }
  CHECK(same == 2 + 2 * 2);

  // A change that fails, and is taken back: the word that was there is still the one.
  place.write("team.csv", "name,portraits,init\nAda,ada,\nBen,ben,\nEve,eve,\n");
  place.write("training.json", R"({"steps": 20, "batch": 1, "milestone-steps": 10, "norm": "init",
      "timesteps": "0:5000"})");
  CHECK(place.run_team().exit_code == 64);
  CHECK_THAT(read_bytes(place.path() / "team/people/Eve/record.json"),
             ContainsSubstring("failure"));
  place.write("team.csv", "name,portraits\nAda,ada\nBen,ben\nEve,eve\n");
  place.write("training.json",
              R"({"steps": 20, "batch": 1, "milestone-steps": 10, "norm": "init"})");
  CHECK(count_in(place.run_team().err, ": training, ") == 0);
  CHECK(read_bytes(place.path() / "team/people/Eve/record.json").find("failure") ==
        std::string::npos);
  CHECK(sdx::test::differences(place.results(), after) == std::vector<std::string>{});

  place.write("team.csv", "name,portraits,init\nAda,ada,\nBen,ben,\nEve,eve,a robot\n");
  const RunResult init = place.run_team();
  CHECK(count_in(init.err, ": training, ") == 1);
  CHECK_THAT(init.err,
             ContainsSubstring("<Eve>: training, --init: it had") && ContainsSubstring("a robot"));

  fs::remove(place.path() / "team/embeddings/Ada.safetensors");
  CHECK_THAT(place.run_team().err, ContainsSubstring("<Ada>: training, Ada.safetensors is gone"));
  place.write("prompts.txt", "{name} in the snow\nRobot {name}\n<Ada> and <Ben>\n<Eve>, rain\n");
  CHECK_THAT(place.run_team().err, ContainsSubstring("1 pictures made now"));
}

TEST_CASE("roster: one person's failure stops nobody, and a retry goes on") {
  const TeamPlace place;
  for (int i = 0; i < 3; ++i) {
    const fs::path file = place.path() / "ben" / (std::to_string(i) + ".png");
    const std::string bytes = read_bytes(file);
    place.write("ben/" + std::to_string(i) + ".png", bytes.substr(0, bytes.size() / 2));
  }
  const RunResult result = place.run_team();
  INFO(result.err);
  CHECK(result.exit_code == 66);
  CHECK_THAT(result.err,
             ContainsSubstring("<Ben>: FAILED: ") && ContainsSubstring("2 of 3 people"));
  CHECK_THAT(result.err, ContainsSubstring("\"<Ada> and <Ben>\": <Ben> is not trained"));
  CHECK(place.results().size() == 2 + 2 * 2);
  const sdx::Json summary = place.read_summary();
  CHECK(summary["done"] == false);
  CHECK(summary["people"][0]["done"] == true);
  CHECK(summary["people"][1]["exit_code"] == 66);

  place.add_portraits("ben");
  sdx::test::Run retry;
  retry.tool = "sdx-roster";
  retry.folder = place.path();
  retry.arguments = {"retry", "team"};
  const RunResult again = sdx::test::run(retry);
  INFO(again.err);
  CHECK(again.exit_code == 0);
  CHECK(count_in(again.err, ": training, ") == 1);
}

TEST_CASE("roster: status and retry know what was asked for, wherever they are called") {
  const TeamPlace place;
  fs::copy(std::string(SDX_TEST_DATA) + "/taesd/taesd_decoder.safetensors",
           place.path() / "small.safetensors");
  const std::vector<std::string> by_tiny = {"--vae-approx", "small.safetensors"};
  REQUIRE(place.run_team({"--only", "Ada"}).exit_code == 0);
  CHECK_FALSE(fs::exists(place.path() / "team/roster.json"));  // a part is not what is wanted
  CHECK_FALSE(fs::exists(place.path() / "team/index.html"));
  REQUIRE(place.run_team(by_tiny).exit_code == 0);
  fs::remove_all(place.path() / "team/people/Eve");
  fs::remove_all(place.path() / "team/pictures/Ben");

  sdx::test::Run elsewhere;
  elsewhere.tool = "sdx-roster";
  elsewhere.folder = fs::temp_directory_path();
  elsewhere.arguments = {"status", place.path() / "team"};
  const RunResult status = sdx::test::run(elsewhere);
  INFO(status.err);
  CHECK(status.exit_code == 0);
  CHECK_THAT(status.out, ContainsSubstring("<Ada>: trained; 2 of 2 pictures"));
  CHECK_THAT(status.out, ContainsSubstring("<Ben>: trained; 0 of 2 pictures"));
  CHECK_THAT(status.out, ContainsSubstring("<Eve>: to be trained, is new"));
  CHECK_THAT(status.err, ContainsSubstring("1 of 3 people done"));

  elsewhere.arguments = {"retry", place.path() / "team", "--device", "cuda:77"};
  CHECK(sdx::test::run(elsewhere).exit_code == 69);
  elsewhere.arguments = {"retry", place.path() / "team"};
  const RunResult retry = sdx::test::run(elsewhere);
  INFO(retry.err);
  CHECK(retry.exit_code == 0);
  CHECK(count_in(retry.err, ": training, ") == 1);
  CHECK(place.read_summary()["done"] == true);

  elsewhere.arguments = {"status", place.path()};
  const RunResult none = sdx::test::run(elsewhere);
  CHECK(none.exit_code == 66);
  CHECK_THAT(none.err, ContainsSubstring("roster.json is missing"));
}

TEST_CASE("roster: everything wrong is said before the start") {
  const TeamPlace place;
  place.add_portraits("two", 2);
  place.add_portraits("zoe");
  place.add_portraits("lei");
  place.write("team.csv",
              "name,portraits\nAda,ada\nBen,ben\nBen,eve\nCleo,nowhere\nDan,ada,extra,fields\n"
              "Two,two\n../x,zoe\n李雷,lei\n");
  const RunResult result = place.run_team();
  INFO(result.err);
  CHECK(result.exit_code == 65);
  CHECK_THAT(result.err, ContainsSubstring("line 3, Ben") && ContainsSubstring("line 4, Ben"));
  CHECK_THAT(result.err, ContainsSubstring("line 5, Cleo") && ContainsSubstring("nowhere"));
  CHECK_THAT(result.err, ContainsSubstring("line 6") && ContainsSubstring("4 fields"));
  CHECK_THAT(result.err, ContainsSubstring("line 7, Two"));
  CHECK_THAT(result.err, ContainsSubstring("line 8, ../x"));
  CHECK_THAT(result.err, ContainsSubstring("Nothing was started") &&
                             ContainsSubstring("--keep-going continues with the other 2 people"));
  CHECK_FALSE(fs::exists(place.path() / "team"));

  const RunResult going = place.run_team({"--keep-going"});
  INFO(going.err);
  CHECK(going.exit_code == 65);  // not all is done
  CHECK(fs::exists(place.path() / "team/embeddings/Ada.safetensors"));
  CHECK(fs::exists(place.path() / "team/embeddings/李雷.safetensors"));
  CHECK(fs::exists(place.path() / "team/pictures/李雷"));
  CHECK(place.read_summary()["people"].size() == 2);
}

TEST_CASE("roster: prompts are checked before the start") {
  const TeamPlace place;
  const auto refused = [&](const std::string& prompts, int code, const std::string& why) {
    place.write("prompts.txt", prompts);
    const RunResult result = place.run_team();
    INFO(result.err);
    CHECK(result.exit_code == code);
    CHECK_THAT(result.err, ContainsSubstring(why));
    CHECK_FALSE(fs::exists(place.path() / "team/people"));
  };
  refused("{name} and <Bem>\n", 64,
          "<Bem> is neither in team.csv nor in --embeddings; the nearest are Ben");
  refused("a lighthouse\n", 64, "has neither {name} nor a <Name>");
  refused("--prompt \"{name}\" --size 33x33\n", 64, "33");
  refused("", 65, "prompts.txt");
  const RunResult pack = place.run(
      "sdx-roster", {"run", "team.csv", "--prompts", "holiday", "--training", "training.json"});
  CHECK(pack.exit_code == 64);
  CHECK_THAT(pack.err, ContainsSubstring("holidays"));
  CHECK(place.run("sdx-roster", {"run"}).exit_code == 64);
  CHECK(place.run("sdx-roster", {"run", "nobody.csv"}).exit_code == 66);
  CHECK(place.run("sdx-roster", {"rum"}).exit_code == 64);
  CHECK(place.run_team({"--only", "Adda"}).exit_code == 64);
}

TEST_CASE("roster: people without consent are refused by name, and nothing is trained") {
  const TeamPlace place;
  place.write(
      "team.csv",
      "name,portraits,consent,until\nAda,ada,2026-01-12 by e-mail,\nBen,ben,yes,2020-01-01\n"
      "Eve,eve,,\n");
  const RunResult result = place.run_team();
  INFO(result.err);
  CHECK(result.exit_code == 78);
  CHECK_THAT(result.err, ContainsSubstring("Ben: the consent ended on 2020-01-01"));
  CHECK_THAT(result.err, ContainsSubstring("Eve: no consent is recorded"));
  CHECK_FALSE(fs::exists(place.path() / "team"));

  CHECK(place.run_team({"--keep-going", "--require-consent"}).exit_code == 78);
  const fs::path word = place.path() / "team/embeddings/Ada.safetensors";
  REQUIRE(fs::exists(word));
  CHECK(sdx::read_embedding(word).metadata.at("sdx.consent") == "2026-01-12 by e-mail");
  CHECK_FALSE(fs::exists(place.path() / "team/people/Ben"));

  const TeamPlace unasked;  // its roster has no consent column
  CHECK(unasked.run_team({"--require-consent"}).exit_code == 78);
}

TEST_CASE("roster: two runs at once share the work") {
  const TeamPlace place;
  std::future<RunResult> other =
      std::async(std::launch::async, [&place] { return place.run_team(); });
  const RunResult one = place.run_team();
  const RunResult two = other.get();
  INFO(one.err + "\n---\n" + two.err);
  CHECK(one.exit_code == 0);
  CHECK(two.exit_code == 0);
  CHECK(count_in(one.err + two.err, ": training, ") == 3);
  CHECK(place.results().size() == 3 + 3 * 2 + 1);
  CHECK(place.read_summary()["done"] == true);
}

TEST_CASE("roster: Ctrl-C stops, and the same command goes on to the same bits") {
  const TeamPlace calm;
  REQUIRE(calm.run_team().exit_code == 0);

  const TeamPlace place;
  sdx::test::Run command = place.command("sdx-roster", place.run_arguments());
  command.meanwhile = [&](pid_t child) {
    const fs::path second = place.path() / "team/people/Ben/training/metrics.jsonl";
    while (sdx::test::is_running(child) && !fs::exists(second)) std::this_thread::yield();
    ::kill(child, SIGINT);
  };
  const RunResult stopped = sdx::test::run(command);
  INFO(stopped.err);
  CHECK(stopped.exit_code == 130);
  CHECK_THAT(stopped.err,
             ContainsSubstring("stopped; run the same command again, or sdx-roster retry team"));
  const RunResult after = place.run_team();
  INFO(after.err);
  CHECK(after.exit_code == 0);
  CHECK(differences(place.results(), calm.results()) == std::vector<std::string>{});
}

TEST_CASE("roster: trained together, everybody gets the word that they get alone") {
  const TeamPlace alone;
  REQUIRE(alone.run_team().exit_code == 0);
  const TeamPlace together;
  const RunResult result = together.run_team({"--together", "3"});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  for (const char* name : {"Ada", "Ben", "Eve"}) {
    const std::string file = "team/embeddings/" + std::string(name) + ".safetensors";
    const sdx::Embedding one = sdx::read_embedding(alone.path() / file);
    const sdx::Embedding other = sdx::read_embedding(together.path() / file);
    CHECK(at::allclose(one.vectors, other.vectors, /*rtol=*/0, /*atol=*/1e-4));
  }
}

TEST_CASE("roster: a machine reads lines of JSON") {
  const TeamPlace place;
  const RunResult result = place.run_team({"--json"});
  REQUIRE(result.exit_code == 0);
  std::istringstream lines(result.out);
  int images = 0;
  sdx::Json last;
  for (std::string line; std::getline(lines, line);) {
    last = sdx::Json::parse(line);
    if (last.contains("picture")) ++images;
  }
  CHECK(images == 7);
  CHECK(last["done"] == true);
}

TEST_CASE("roster: a disk that is too small is said before the start", "[needs-mount]") {
  const TeamPlace place;
  const fs::path disk = place.path() / "team";
  fs::create_directory(disk);
  if (::mount("none", disk.c_str(), "tmpfs", 0, "size=1m") != 0) {
    SDX_SKIP("a small disk cannot be mounted here");
  }
  const RunResult result = place.run_team();
  const RunResult larger =
      place.run_team({"--upscale", std::string(SDX_TEST_DATA) + "/upscalers/x4.safetensors"});
  const bool has_begun = fs::exists(disk / "people");
  ::umount(disk.c_str());
  CHECK(result.exit_code == 74);
  CHECK_THAT(result.err, ContainsSubstring("team: may need ") &&
                             ContainsSubstring(", and 1.0 MB are free on its disk"));
  // Three trainings, and seven pictures of 64 x 64 pixels; enlarged four times, of 256 x 256.
  CHECK_THAT(result.err, ContainsSubstring("team: may need 60.1 MB"));
  CHECK(larger.exit_code == 74);
  CHECK_THAT(larger.err, ContainsSubstring("team: may need 61.4 MB"));
  CHECK_FALSE(has_begun);
}

TEST_CASE("roster: the example script does the same with the other tools") {
  const TeamPlace place;
  place.write("prompts.txt", "{name} in the snow\n");
  const std::string script = std::string(SDX_SOURCE_DIR) + "/scripts/roster_example.sh";
  const std::string command = "cd " + place.path().string() + " && PATH=" + SDX_BIN_DIR +
                              ":$PATH SDX_MODEL=" + TeamPlace::model() +
                              " SDX_TRAIN_OPTIONS='--steps 2 --batch 1' bash " + script +
                              " team.csv prompts.txt out 2> log";
  REQUIRE(std::system(command.c_str()) == 0);
  for (const char* name : {"Ada", "Ben", "Eve"}) {
    CHECK(fs::exists(place.path() / "out/embeddings" / (std::string(name) + ".safetensors")));
    CHECK(sdx::test::entries_in(place.path() / "out/pictures" / name) == 2);
  }
}
