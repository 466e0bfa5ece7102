// Tables of people and styles. The first letter chooses: a roster as CSV or JSON, or styles.

#include <string>

#include "fuzz/target.h"
#include "sdx/prompt/styles.h"
#include "sdx/roster/consent.h"
#include "sdx/roster/roster.h"

using namespace sdx;

SDX_FUZZ_TARGET(table) {
  const char letter = fuzz::take_letter(bytes);
  if (letter == 's') {
    const auto styles = read_styles(fuzz::make_file("styles.csv", bytes));
    if (!styles.empty()) apply_styles({"a {prompt}", "b"}, {styles.front().name}, styles);
    return;
  }
  const auto file = fuzz::make_file(letter == 'j' ? "team.json" : "team.csv", bytes);
  for (const Member& member : read_roster(file).members) why_refused(member.consent, "2026-11-28");
}
