#include "sdx/roster/team_folder.h"
#include "support/temp_folder.h"

#include "support/catch.h"

namespace fs = std::filesystem;
using sdx::TeamFolder;
using sdx::test::read_bytes;
using sdx::test::TempFolder;

TEST_CASE("roster: the logs forget a person, and nobody else", "[roster]") {
  const TempFolder place;
  const TeamFolder team{place.path()};
  fs::create_directories(team.person("Ada"));
  fs::create_directory(team.logs());
  place.file("people/Ada/record.json", "{}");
  place.file("slurm/7_0.log",
             "<Ada>: training, is new\n1 person\nTraining <Ada> 1/60\n<Ada> and <Ben>: no");
  place.file("slurm/7_1.log",
             "<Adam>: training\n(1/1) <Ben>: 60 steps\n2 failed: Ada: bad\nxAda\n");
  place.file("slurm/7_2.log", "<Ben>: training, is new");
  sdx::forget_person(team, "Ada");
  CHECK(read_bytes(place.file("slurm/7_0.log")) == "1 person\n");
  CHECK(read_bytes(place.file("slurm/7_1.log")) ==
        "<Adam>: training\n(1/1) <Ben>: 60 steps\nxAda\n");
  CHECK(read_bytes(place.file("slurm/7_2.log")) == "<Ben>: training, is new");
}
