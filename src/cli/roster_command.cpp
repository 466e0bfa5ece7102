#include <algorithm>
#include <string>

#include "cli/roster_actions.h"
#include "sdx/cli/options.h"
#include "sdx/cli/tool.h"
#include "sdx/util/error.h"

namespace sdx {

namespace {

constexpr const char* kNames = "check, run, slurm, status, retry, forget or who";

}  // namespace

std::span<const Command> roster_parts() {
  static constexpr Command kParts[] = {
      {"check", roster_check_action}, {"run", roster_run_action},
      {"slurm", roster_slurm_action}, {"status", roster_status_action},
      {"retry", roster_retry_action}, {"forget", roster_forget_action},
      {"who", roster_who_action}};
  return kParts;
}

void roster_command(int argc, char** argv) {
  if (run_part(roster_parts(), argc, argv)) return;
  std::string action;
  OptionTable table("sdx-roster", "A whole team: a list of people in, everybody's pictures out.",
                    "  sdx-roster check team.csv\n"
                    "  sdx-roster run team.csv --prompts statcrew --out team\n"
                    "  sdx-roster slurm team.csv --prompts statcrew --out team > job.sh\n"
                    "  sdx-roster status team\n"
                    "  sdx-roster retry team\n"
                    "  sdx-roster forget team Johannes\n"
                    "  sdx-roster who photo.jpg --team team\n");
  table.add("Input", "action", action, std::string(kNames) + "; each has a --help of its own")
      ->required();
  table.parse(std::min(argc, 2), argv);
  throw UsageError("expected " + std::string(kNames) + ", found \"" + action + "\"");
}

}  // namespace sdx
