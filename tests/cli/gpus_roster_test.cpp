// sdx-roster run on several GPUs, which the processor plays.

#include <csignal>
#include <set>
#include <thread>

#include "sdx/util/json.h"
#include "support/played_gpus.h"
#include "support/team_place.h"

#include "support/catch.h"

using Catch::Matchers::ContainsSubstring;
using sdx::test::count_in;
using sdx::test::differences;
using sdx::test::is_alive;
using sdx::test::is_running;
using sdx::test::list_children;
using sdx::test::read_bytes;
using sdx::test::Run;
using sdx::test::RunResult;
using sdx::test::TeamPlace;
using sdx::test::with_gpus;
namespace fs = std::filesystem;

namespace {

Run team_on(const TeamPlace& place, const std::string& gpus, std::vector<std::string> more = {}) {
  return with_gpus(place.command("sdx-roster", place.run_arguments(std::move(more))), gpus);
}

/// Words, pictures, the gallery, and what was asked for.
std::map<std::string, std::string> read_team(const TeamPlace& place) {
  std::map<std::string, std::string> files = place.results();
  const fs::path team = place.path() / "team";
  files["index.html"] = read_bytes(team / "index.html");
  files["roster.json"] = read_bytes(team / "roster.json");
  return files;
}

/// Of a run of one process.
const std::map<std::string, std::string>& calm_team() {
  static const std::map<std::string, std::string> kFiles = [] {
    const TeamPlace place;
    const RunResult result = run(team_on(place, "fine,fine", {"--gpus", "none"}));
    if (result.exit_code != 0) throw std::runtime_error(result.err);
    return read_team(place);
  }();
  return kFiles;
}

fs::path metrics_of(const TeamPlace& place, const std::string& name) {
  return place.path() / "team/people" / name / "training/metrics.jsonl";
}

/// Who has locked a person, or had them.
pid_t find_holder(const TeamPlace& place, const std::string& name) {
  std::ifstream lock(place.path() / "team/people" / name / ".lock");
  pid_t holder = 0;
  lock >> holder;
  return holder;
}

void check_whole(const TeamPlace& place) {
  CHECK(differences(read_team(place), calm_team()) == std::vector<std::string>{});
}

}  // namespace

TEST_CASE("roster on GPUs: two processes share a team, which is that of one process") {
  const TeamPlace place;
  std::set<pid_t> holders;
  Run command = team_on(place, "fine,fine");
  command.meanwhile = [&](pid_t parent) {
    while (is_running(parent) && holders.size() < 2) {
      for (const char* name : {"Ada", "Ben"}) {
        const pid_t holder = find_holder(place, name);
        if (holder != 0 && holder != parent) holders.insert(holder);
      }
      std::this_thread::yield();
    }
  };
  const RunResult result = run(command);
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK(holders.size() == 2);
  CHECK(result.out == "team/index.html\n");
  check_whole(place);
  CHECK(count_in(result.err, "Sharing the work among 2 GPUs") == 1);
  CHECK(count_in(result.err, "3 people, 7 pictures: about") == 1);
  CHECK(count_in(result.err, ": training, is new") == 3);
  for (const char* line : {"(1/3) <", "(2/3) <", "(3/3) <"}) CHECK(count_in(result.err, line) == 1);
  CHECK_THAT(result.err, ContainsSubstring("3 of 3 people done, 7 pictures made now"));
  CHECK(count_in(result.err, "was trained before") == 0);
  const sdx::Json summary = place.read_summary();
  for (const sdx::Json& person : summary["people"]) CHECK(person["trained_now"] == true);

  // All is there: nobody is started.
  const RunResult again = run(team_on(place, "fine,fine"));
  CHECK(again.exit_code == 0);
  CHECK(count_in(again.err, "Sharing") == 0);
}

TEST_CASE("roster on GPUs: no more processes than people, and --only is shared too") {
  const TeamPlace place;
  std::size_t most = 0;
  Run command = team_on(place, "fine,fine,fine", {"--only", "Ada,Eve", "--json"});
  command.meanwhile = [&](pid_t parent) {
    while (is_running(parent)) most = std::max(most, list_children(parent).size());
  };
  const RunResult result = run(command);
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK(most == 2);
  CHECK_THAT(result.err, ContainsSubstring("Sharing the work among 2 GPUs"));
  CHECK(count_in(result.out, "\"picture\":") == 4);
  CHECK(count_in(result.out, "\"training\":\"is new\"") == 2);
  CHECK_FALSE(fs::exists(place.path() / "team/roster.json"));
  CHECK_FALSE(fs::exists(place.path() / "team/index.html"));
  CHECK_FALSE(fs::exists(place.path() / "team/people/Ben"));
}

TEST_CASE("roster on GPUs: a process is killed, the other takes over what it had") {
  const TeamPlace place;
  Run command = team_on(place, "fine,fine");
  command.meanwhile = [&](pid_t parent) {
    while (is_running(parent) && !fs::exists(metrics_of(place, "Ada"))) std::this_thread::yield();
    const pid_t holder = find_holder(place, "Ada");
    if (holder > 0) ::kill(holder, SIGKILL);  // 0 would be ourselves
  };
  const RunResult result = run(command);
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  // When it happens, and again at the end.
  CHECK(count_in(result.err, "its process was killed by signal 9 (Killed)") == 2);
  CHECK(count_in(result.err, "others do its work") == 1);
  check_whole(place);
  const sdx::Json summary = place.read_summary();
  for (const sdx::Json& person : summary["people"]) CHECK(person["trained_now"] == true);
}

TEST_CASE("roster on GPUs: one that cannot start is named with what it said") {
  const TeamPlace place;
  const RunResult result = run(team_on(place, "fine,out of order"));
  INFO(result.err);
  CHECK(result.exit_code == 0);
  CHECK_THAT(result.err,
             ContainsSubstring("GPU 1: its process ended with exit code 69: --device cuda:1: it "
                               "cannot compute (out of order)") &&
                 ContainsSubstring("; --gpus 0 leaves it out; others do its work"));
  check_whole(place);

  // The first one is not what the rest is done on, if another one works.
  const TeamPlace second;
  const RunResult other = run(team_on(second, "out of order,fine"));
  INFO(other.err);
  CHECK(other.exit_code == 0);
  CHECK_THAT(other.err, ContainsSubstring("GPU 0: its process ended with exit code 69"));
  CHECK(count_in(other.err, "Computing on the processor") == 0);
  check_whole(second);

  const TeamPlace third;
  const RunResult none = run(team_on(third, "out of order,worn out"));
  INFO(none.err);
  CHECK(none.exit_code == 0);
  CHECK_THAT(none.err, ContainsSubstring("(worn out)") &&
                           ContainsSubstring("Computing on the processor: --device cuda:0"));
  check_whole(third);
  const RunResult asked = run(team_on(third, "out of order,worn out", {"--device", "cuda", "-n2"}));
  CHECK(asked.exit_code == 69);
}

TEST_CASE("roster on GPUs: Ctrl-C stops all, and the same command goes on to the same bits") {
  const TeamPlace place;
  std::vector<pid_t> children;
  Run command = team_on(place, "fine,fine");
  command.meanwhile = [&](pid_t parent) {
    while (is_running(parent) &&
           !(fs::exists(metrics_of(place, "Ada")) && fs::exists(metrics_of(place, "Ben")))) {
      std::this_thread::yield();
    }
    children = list_children(parent);
    ::kill(parent, SIGINT);
  };
  const RunResult stopped = run(command);
  INFO(stopped.err);
  CHECK(stopped.exit_code == 130);
  CHECK_THAT(stopped.err,
             ContainsSubstring(
                 "stopped; run the same command again, or sdx-roster retry team, to resume"));
  CHECK(count_in(stopped.err, "its process") == 0);
  CHECK(children.size() == 2);
  for (const pid_t child : children) CHECK_FALSE(is_alive(child));
  CHECK_FALSE(fs::exists(place.path() / "team/index.html"));

  Run retry = with_gpus({}, "fine,fine");
  retry.tool = "sdx-roster";
  retry.folder = place.path();
  retry.arguments = {"retry", "team", "--gpus", "1,0"};
  const RunResult after = run(retry);
  INFO(after.err);
  CHECK(after.exit_code == 0);
  CHECK_THAT(after.err, ContainsSubstring("Sharing the work among 2 GPUs"));
  check_whole(place);
}

TEST_CASE("roster on GPUs: the processes end with the one that started them") {
  const TeamPlace place;
  std::vector<pid_t> children;
  Run command = team_on(place, "fine,fine");
  command.meanwhile = [&](pid_t parent) {
    while (is_running(parent) && !fs::exists(metrics_of(place, "Ada"))) std::this_thread::yield();
    children = list_children(parent);
    ::kill(parent, SIGKILL);
  };
  CHECK(run(command).exit_code == 128 + SIGKILL);
  REQUIRE(children.size() == 2);
  for (const pid_t child : children) {
    while (is_alive(child)) std::this_thread::yield();
  }
  CHECK_FALSE(fs::exists(place.path() / "team/embeddings/Eve.safetensors"));
}

TEST_CASE("roster on GPUs: what is asked for wrongly is said once, before anything is started") {
  const TeamPlace place;
  const auto refused = [&](std::vector<std::string> more, int code, const std::string& why) {
    const RunResult result = run(team_on(place, "fine,fine", std::move(more)));
    INFO(result.err);
    CHECK(result.exit_code == code);
    CHECK_THAT(result.err, ContainsSubstring(why));
    CHECK_FALSE(fs::exists(place.path() / "team/people"));
  };
  refused({"--gpus", "2"}, 69,
          "--gpus 2: there is no GPU 2 here; libtorch can use 2, with numbers from 0 to 1; --gpus "
          "all takes each of them");
  refused({"--gpus", "0,7"}, 69, "there is no GPU 7 here");
  for (const char* text : {"0,0", "both", "0,,1", "-1", "0 1", ",0", "1.0", "cuda:0"}) {
    refused({"--gpus", text}, 64,
            std::string("--gpus: expected all, none, or numbers of GPUs with commas between, each "
                        "once, found \"") +
                text + "\"");
  }
  refused({"--gpus="}, 64, "--gpus: expected all, none");
  for (const char* device : {"cpu", "cuda:1"}) {
    refused({"--gpus", "0,1", "--device", device}, 64,
            std::string("--gpus 0,1 and --device ") + device + " contradict each other");
  }
  refused({"--gpus", "none", "--device", "cuda"}, 64, "--gpus none and --device cuda contradict");
  // Found by the processes, and no fault of a GPU's.
  refused({"--size", "60x60"}, 64,
          "sdx-roster: error: --size 60x60: both sides must be divisible by 8");
  CHECK_FALSE(fs::exists(place.path() / "team/roster.json"));

  const RunResult none = run(team_on(place, "", {"--gpus", "0"}));
  CHECK(none.exit_code == 69);
  CHECK_THAT(none.err, ContainsSubstring("--gpus none computes on the processor"));
}

TEST_CASE("roster on GPUs: a device that is named, or one GPU, is a single process") {
  const TeamPlace place;
  const auto shares = [&](std::vector<std::string> more) {
    more.insert(more.end(), {"--size", "60x60"});  // ends it before any work
    const RunResult result = run(team_on(place, "fine,fine", std::move(more)));
    CHECK(result.exit_code == 64);
    return count_in(result.err, "Sharing the work") == 1;
  };
  CHECK(shares({}));
  CHECK(shares({"--device", "cuda"}));
  CHECK(shares({"--gpus", "all", "--device", "cuda"}));
  CHECK(shares({"--together", "2"}));
  CHECK_FALSE(shares({"--together", "3"}));
  CHECK_FALSE(shares({"--device", "cpu"}));
  CHECK_FALSE(shares({"--device", "cuda:1"}));
  CHECK_FALSE(shares({"--gpus", "1"}));
  CHECK_FALSE(shares({"--gpus", "none"}));
  CHECK_FALSE(shares({"--only", "Ada"}));
}
