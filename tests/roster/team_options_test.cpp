#include "sdx/roster/team_options.h"

#include <set>

#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "support/temp_folder.h"

#include "support/catch.h"

namespace fs = std::filesystem;

namespace sdx {

TEST_CASE("team options: what a team was asked for comes back, types included") {
  const test::TempFolder folder;
  const fs::path team = folder.path() / "team";
  fs::create_directory(team);
  write_file_atomically(folder.path() / "people.csv", "name,portraits\n");

  TeamOptions options;
  ModelOptions model;
  options.roster = folder.path() / "people.csv";
  options.title = "1e5";
  options.count = 3;
  options.embeddings = {"7", "more"};
  options.image.seed = 5;
  options.image.styles = {"[a,b]"};
  options.image.negative = "007";
  options.encoding = {ImageFormat::kJpeg, 80};
  options.only = "Ada";
  model.threads = 2;
  write_team_options(options, model, team);
  CHECK_FALSE(read_json_file(team / "roster.json").contains("only"));

  TeamOptions read;
  ModelOptions read_model;
  read_team_options(team, read, read_model);
  CHECK(read.title == "1e5");
  CHECK(read.count == 3);
  CHECK(read.embeddings == options.embeddings);
  CHECK(read.image.seed == 5);
  CHECK(read.image.styles == options.image.styles);
  CHECK(read.image.negative == "007");
  CHECK(read.encoding.format == ImageFormat::kJpeg);
  CHECK(read.encoding.quality == 80);
  CHECK(read.only.empty());
  CHECK(read.out == team.string());
  CHECK(read_model.threads == 2);
  CHECK(fs::equivalent(read.roster, options.roster));
}

TEST_CASE("team options: files of pictures are found again from another folder, names stay names") {
  const test::TempFolder folder;
  const fs::path team = folder.path() / "team";
  const fs::path other = folder.path() / "other";
  fs::create_directory(team);
  fs::create_directory(other);
  for (const char* file : {"tiny.safetensors", "x4.pth", "start.png", "mask.png"}) {
    write_file_atomically(folder.path() / file, "x");
  }
  const fs::path before = fs::current_path();
  fs::current_path(folder.path());
  TeamOptions options;
  ModelOptions model;
  options.image.settings.vae_approx = "tiny.safetensors";
  options.image.settings.upscale = "x4.pth";
  options.image.start_image = "start.png";
  options.image.mask = "mask.png";
  write_team_options(options, model, team);
  fs::current_path(other);
  TeamOptions read;
  read_team_options(team, read, model);
  CHECK(read.image.settings.vae_approx == "../tiny.safetensors");
  CHECK(read.image.settings.upscale == "../x4.pth");
  CHECK(read.image.start_image == "../start.png");
  CHECK(read.image.mask == "../mask.png");
  // The name of a file among the models.
  options.image.settings.vae_approx = "taesd";
  options.image.settings.upscale = "R-ESRGAN 4x+";
  write_team_options(options, model, team);
  read_team_options(team, read, model);
  CHECK(read.image.settings.vae_approx == "taesd");
  CHECK(read.image.settings.upscale == "R-ESRGAN 4x+");
  fs::current_path(before);
}

TEST_CASE("team options: a folder that is no team, and a record that is damaged, are named") {
  const test::TempFolder folder;
  TeamOptions options;
  ModelOptions model;
  CHECK_THROWS_AS(read_team_options(folder.path(), options, model), MissingInputError);
  write_file_atomically(folder.path() / "roster.json", R"({"cout": 3})");
  CHECK_THROWS_AS(read_team_options(folder.path(), options, model), UsageError);
}

TEST_CASE("team options: all settings of a team have different names") {
  TeamOptions options;
  ModelOptions model;
  std::set<std::string> keys;
  const Settings settings = bind_team_settings(options, model);
  for (const BoundSetting& setting : settings.all()) {
    INFO(setting.info->key);
    CHECK(keys.insert(setting.info->key).second);
    CHECK_FALSE(setting.info->help.empty());
  }
}

}  // namespace sdx
