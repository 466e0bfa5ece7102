#include "cli/roster/roster_actions.h"
#include "sdx/cli/tool.h"

namespace sdx {

std::span<const Command> roster_parts() {
  static constexpr Command kParts[] = {
      {"check",
       "Check everybody's portraits: find pictures of others, people under two names and "
       "folders without a face. Write nothing",
       "  sdx-roster check team.csv\n"
       "  sdx-roster check team.csv --face-network face --json\n",
       define_roster_check},
      {"run", "Train everybody of a roster and make everybody's pictures, and a gallery",
       "  sdx-roster run team.csv --prompts statcrew --out team\n"
       "  sdx-roster run team.csv --prompts prompts.txt --preset best -n 4 --model sd15\n",
       define_roster_run},
      {"slurm", "Write a job script that does the work of run on a Slurm cluster",
       "  sdx-roster slurm team.csv --prompts statcrew --out team > job.sh\n"
       "  bash job.sh\n",
       define_roster_slurm},
      {"status", "Show which people of a team are done, and what is left",
       "  sdx-roster status team\n", define_roster_status},
      {"retry", "Do what is missing or failed, with the options of the team's run",
       "  sdx-roster retry team\n", define_roster_retry},
      {"page", "Write one person's page: a single file to send to that person alone",
       "  sdx-roster page team Johannes\n"
       "  sdx-roster page team Johannes --out for-johannes.html --force\n",
       define_roster_page},
      {"forget", "Remove all that was derived from a person: embedding, records, crops, pictures",
       "  sdx-roster forget team Johannes\n", define_roster_forget},
      {"who",
       "Find the person in a photograph: name the five nearest people of a team. Write "
       "nothing",
       "  sdx-roster who photo.jpg --team team\n"
       "  sdx-roster who photo.jpg --team team.csv --face-network face\n",
       define_roster_who}};
  return kParts;
}

}  // namespace sdx
