// What people write: lines of a prompts file (l), an axis of a grid (g), settings of a training
// (t), of a team (m) or of images (i) as JSON. The first letter chooses.

#include <string>

#include "fuzz/target.h"
#include "sdx/generation/image_jobs.h"
#include "sdx/roster/member_record.h"
#include "sdx/roster/team_options.h"
#include "sdx/training/training_options.h"
#include "sdx/util/json.h"

using namespace sdx;

SDX_FUZZ_TARGET(settings) {
  const char letter = fuzz::take_letter(bytes);
  if (letter == 'l') {
    const auto file = fuzz::make_file("prompts.txt", bytes);
    read_prompt_options(file.string(), {});
    return;
  }
  if (letter == 'g') {
    parse_grid_axis(std::string(bytes));
    return;
  }
  if (letter == 'r') {
    fuzz::make_file("person/record.json", bytes);
    read_record(fuzz::scratch_folder() / "person");
    return;
  }
  const Json json = read_json_file(fuzz::make_file("settings.json", bytes));
  if (letter == 't') {
    TrainingOptions options = default_training();
    Settings(training_settings(), options).read_json(json, "settings.json");
  } else if (letter == 'm') {
    TeamOptions options;
    ModelOptions model;
    bind_team_settings(options, model).read_json(json, "settings.json");
  } else {
    ImageOptions options;
    Settings(image_settings(), options).read_json(json, "settings.json");
  }
}
