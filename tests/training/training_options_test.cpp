#include "sdx/training/training_options.h"

#include <set>

#include "sdx/util/error.h"

#include "support/catch.h"

namespace sdx {

TEST_CASE("training options: the preset balanced is the default") {
  const TrainingOptions options = default_training();
  CHECK(options.inversion.vectors == 2);
  CHECK(options.inversion.steps == 400);
  CHECK(options.inversion.learning_rate.text() == "0.01");
  CHECK(options.trainer.patience == 60);
  CHECK(options.trainer.milestone_steps == 25);
}

TEST_CASE("training options: a preset changes what it names, an unknown one is refused") {
  TrainingOptions options = default_training();
  options.inversion.seed = 9;
  apply_preset("fast", options);
  CHECK(options.inversion.steps == 200);
  CHECK(options.inversion.seed == 9);
  for (const char* name : {"fastest", "", "../presets/fast", "/etc/passwd"}) {
    INFO(name);
    CHECK_THROWS_AS(apply_preset(name, options), SettingError);
  }
}

TEST_CASE("training options: spelled values come back as they were") {
  TrainingOptions options = default_training();
  const Settings settings(training_settings(), options);
  for (const auto& [key, text] : std::map<std::string, std::string>{{"lr", "0.05:10, 0.02"},
                                                                    {"timesteps", "100:900"},
                                                                    {"crop", "center"},
                                                                    {"mask", "face"},
                                                                    {"kind", "style"},
                                                                    {"norm", "vocab"},
                                                                    {"memory", "low"},
                                                                    {"stop", "never"},
                                                                    {"keep", "all"},
                                                                    {"face", "match"}}) {
    INFO(key);
    settings.at(key).set_text(text);
    CHECK(settings.at(key).to_text() == text);
    CHECK_THROWS_AS(settings.at(key).set_text("nonsense"), UsageError);
    CHECK(settings.at(key).to_text() == text);
  }
  CHECK(options.inversion.first_timestep == 100);
  CHECK(options.inversion.last_timestep == 900);
  CHECK(options.subject.crop == Crop::kCentre);
  CHECK(options.subject.latents.mask_face);
}

TEST_CASE("training options: an exact number of steps is never cut short") {
  TrainingOptions options = default_training();
  options.portraits = "faces";
  options.inversion.name = "Ada";
  CHECK(make_spec(options).trainer.stop_when_settled);
  options.exact_steps = 12;
  const TrainingSpec spec = make_spec(options);
  CHECK(spec.inversion.steps == 12);
  CHECK_FALSE(spec.trainer.stop_when_settled);
  options.inversion.name.clear();
  CHECK_THROWS_AS(make_spec(options), UsageError);
}

TEST_CASE("training options: every row has a help, and no two rows have one name") {
  std::set<std::string> names;
  for (const auto& row : training_settings().rows()) {
    INFO(row.info.key);
    CHECK_FALSE(row.info.help.empty());
    CHECK(names.insert(row.info.key).second);
  }
}

}  // namespace sdx
