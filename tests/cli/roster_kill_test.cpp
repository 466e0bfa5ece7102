#include <csignal>
#include <cstdlib>
#include <thread>

#include "sdx/util/random.h"
#include "support/team_place.h"

#include "support/catch.h"

using sdx::test::differences;
using sdx::test::RunResult;
using sdx::test::TeamPlace;
namespace fs = std::filesystem;

namespace {

/// How far a team is: bytes of the trainings' records, and a thousand for each word and picture.
std::size_t read_progress(const TeamPlace& place) {
  std::size_t progress = 0;
  std::error_code ignored;
  const fs::path team = place.path() / "team";
  for (auto entry = fs::recursive_directory_iterator(team, ignored);
       !ignored && entry != fs::recursive_directory_iterator(); entry.increment(ignored)) {
    const fs::path& path = entry->path();
    if (path.filename() == "metrics.jsonl") progress += fs::file_size(path, ignored);
    const bool is_result =
        path.extension() == ".png" && path.string().find("/pictures/") != std::string::npos;
    if (is_result || path.parent_path().filename() == "embeddings") progress += 1000;
  }
  return progress;
}

}  // namespace

// SDX_KILLS=50 was run for docs/roster.md.
TEST_CASE("roster: a run that is killed and run again gives the results of an uninterrupted run") {
  const char* asked = std::getenv("SDX_KILLS");
  const int kills = asked != nullptr ? std::atoi(asked) : 4;
  const TeamPlace calm;
  REQUIRE(calm.run_team().exit_code == 0);
  const auto whole = static_cast<std::uint32_t>(read_progress(calm));

  sdx::RandomStream random(11, sdx::RandomPurpose::kTrainingPick);
  for (int killed = 0; killed < kills;) {
    const TeamPlace place;
    std::size_t until = 0;
    for (;;) {
      until += random.below(whole * 2 / 3);
      sdx::test::Run command = place.command("sdx-roster", place.run_arguments());
      command.meanwhile = [&](pid_t child) {
        while (sdx::test::is_running(child) && read_progress(place) < until) {
          std::this_thread::yield();
        }
        ::kill(child, SIGKILL);
      };
      const RunResult result = sdx::test::run(command);
      INFO(result.err);
      if (result.exit_code == 0) break;
      REQUIRE(result.exit_code == 128 + SIGKILL);
      ++killed;
    }
    CHECK(differences(place.results(), calm.results()) == std::vector<std::string>{});
  }
}
