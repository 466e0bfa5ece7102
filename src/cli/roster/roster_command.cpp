#include "cli/roster/roster_actions.h"
#include "sdx/cli/tool.h"

namespace sdx {

std::span<const Command> roster_parts() {
  static constexpr Command kParts[] = {
      {"check",
       "Look whether everybody's folder shows them: pictures of others, people under two names, "
       "folders without a face. Nothing is written",
       "  sdx-roster check team.csv\n"
       "  sdx-roster check team.csv --face-network face --json\n",
       define_roster_check},
      {"run", "Train everybody of a roster and make everybody's pictures, and a gallery",
       "  sdx-roster run team.csv --prompts statcrew --out team\n"
       "  sdx-roster run team.csv --prompts prompts.txt --preset best -n 4 --model sd15\n",
       define_roster_run},
      {"slurm", "Write the job script with which a Slurm cluster does what run would do",
       "  sdx-roster slurm team.csv --prompts statcrew --out team > job.sh\n"
       "  bash job.sh\n",
       define_roster_slurm},
      {"status", "Show who of a team is done, and what is left", "  sdx-roster status team\n",
       define_roster_status},
      {"retry", "Do what is missing or failed, as the team was asked for",
       "  sdx-roster retry team\n", define_roster_retry},
      {"page", "Write one person's page, a single file to be sent to that person alone",
       "  sdx-roster page team Johannes\n"
       "  sdx-roster page team Johannes --out for-johannes.html --force\n",
       define_roster_page},
      {"forget", "Remove all that was derived from a person: word, records, crops, pictures",
       "  sdx-roster forget team Johannes\n", define_roster_forget},
      {"who",
       "Show whom of a team a photograph shows: the nearest five, by their portraits. Nothing is "
       "written",
       "  sdx-roster who photo.jpg --team team\n"
       "  sdx-roster who photo.jpg --team team.csv --face-network face\n",
       define_roster_who}};
  return kParts;
}

}  // namespace sdx
