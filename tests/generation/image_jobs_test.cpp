#include "sdx/generation/image_jobs.h"

#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "support/temp_folder.h"
#include "support/throws.h"

#include "support/catch.h"

using Catch::Matchers::ContainsSubstring;

namespace sdx {

namespace {

std::vector<ImageOptions> read_lines(const std::string& text, const ImageOptions& base = {}) {
  const test::TempFolder folder;
  write_file_atomically(folder.path() / "p.txt", text);
  return read_prompt_options((folder.path() / "p.txt").string(), base);
}

std::string complaint(const std::string& text) {
  try {
    read_lines(text);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("image jobs: a line of a prompts file is a prompt, or settings") {
  ImageOptions base;
  base.settings.sampler.steps = 5;
  base.styles = {"oil"};
  const auto read = read_lines(
      "a robot\n"
      "--prompt \"snow, \\\"deep\\\" [a,b]\" --negative_prompt 'a hat' --steps=3 --tile "
      "--cfg_scale 2 "
      "--sampler_name \"Euler a\" --width 72 --height 64 --style wax --style gold\n"
      "  \n",
      base);
  REQUIRE(read.size() == 2);
  CHECK(read[0].prompt == "a robot");
  CHECK(read[0].settings.sampler.steps == 5);
  CHECK(read[0].styles == std::vector<std::string>{"oil"});
  CHECK(read[1].prompt == "snow, \"deep\" [a,b]");
  CHECK(read[1].negative == "a hat");
  CHECK(read[1].settings.sampler.steps == 3);
  CHECK(read[1].sampler == SamplerKind::kEulerAncestral);
  CHECK(read[1].settings.tile);
  CHECK(read[1].guidance_scale == 2);
  CHECK(read[1].settings.width_px == 72);
  CHECK(read[1].settings.height_px == 64);
  CHECK(read[1].styles == std::vector<std::string>{"wax", "gold"});
}

TEST_CASE("image jobs: what is wrong in a line is named with its number") {
  CHECK_THAT(complaint("a robot\n--prompt x --stepz 3\n"),
             ContainsSubstring("p.txt:2: there is no setting `stepz`; the nearest are `steps`"));
  CHECK_THAT(complaint("--prompt x --steps 0\n"),
             ContainsSubstring("p.txt:1: `steps`: expected a whole number of 1 or more"));
  CHECK_THAT(complaint("--prompt x --steps\n"), ContainsSubstring("`steps`: expected"));
  CHECK_THAT(complaint("--steps 3\n"), ContainsSubstring("p.txt:1: `prompt` is missing"));
  CHECK_THAT(complaint("--prompt a robot\n"), ContainsSubstring("found \"robot\""));
}

TEST_CASE("image jobs: lines of AUTOMATIC1111's \"prompts from file\"") {
  ImageOptions base;
  base.seed = 7;
  const auto read = read_lines(
      "--prompt x --seed -1 --subseed 3 --subseed_strength 0.5 --tiling True\n"
      "--prompt \"\" --tiling false --subseed -1 --n_iter 1 --batch_size=1 --restore_faces false\n"
      "--do_not_save_grid true --prompt_for_display y --seed_resize_from_h -1 --prompt z --seed "
      "+1\n",
      base);
  REQUIRE(read.size() == 3);
  CHECK_FALSE(read[0].seed);
  CHECK(read[0].variation_seed == 3);
  CHECK(read[0].variation_strength == 0.5);
  CHECK(read[0].settings.tile);
  CHECK(read[1].prompt.empty());
  CHECK_FALSE(read[1].settings.tile);
  CHECK(read[1].variation_seed == 0);
  CHECK(read[2].prompt == "z");
  CHECK(read[2].seed == 8);
  CHECK_THAT(
      complaint("--prompt x --restore_faces true\n"),
      ContainsSubstring("p.txt:1: \"restore_faces\" is a setting of AUTOMATIC1111 that a line "
                        "does not have here: `refine-faces` goes over small faces"));
  CHECK_THAT(complaint("--prompt x --batch_size 2\n"), ContainsSubstring("`count` N makes"));
  CHECK_THAT(complaint("--prompt x --restore_facez\n"), ContainsSubstring("the nearest are"));
}

TEST_CASE("image jobs: a grid's axes are settings, and cells change fastest") {
  ImageOptions options;
  options.prompt = "a red hat";
  options.seed = 3;
  JobSettings settings;
  settings.count = 2;
  settings.axes = {parse_grid_axis("cfg=2,4"), parse_grid_axis("prompt=red|blue")};
  const std::vector<ImageJob> jobs = make_jobs(options, settings);
  REQUIRE(jobs.size() == 8);
  CHECK(jobs[0].label == "cfg 2, prompt red");
  CHECK(jobs[1].label == "cfg 4, prompt red");
  CHECK(jobs[2].label == "cfg 2, prompt blue");
  CHECK(jobs[2].request.prompt == "a blue hat");
  CHECK(jobs[1].request.settings.guidance_scale == 4);
  CHECK(jobs[3].request.seed == 3);
  CHECK(jobs[4].request.seed == 4);
  options.settings.faces.prompt = "a face";
  settings.axes = {parse_grid_axis("refine-faces=false,true")};
  const std::vector<ImageJob> faces = make_jobs(options, settings);
  REQUIRE(faces.size() == 4);
  CHECK(faces[0].request.settings.faces.prompt.empty());
  CHECK(faces[1].request.settings.faces.prompt == "a face");
  settings.axes = {parse_grid_axis("refine-faces=false,true"), parse_grid_axis("face-prompt=x,y")};
  CHECK(make_jobs(options, settings).size() == 8);
  settings.axes = {parse_grid_axis("face-prompt=x,y"), parse_grid_axis("refine-faces=false,true")};
  CHECK(make_jobs(options, settings).size() == 8);
  options.settings.faces.prompt.clear();
  settings.axes = {parse_grid_axis("stepz=2,4")};
  CHECK_THROWS_AS(make_jobs(options, settings), UsageError);
  CHECK_THROWS_AS(parse_grid_axis("cfg"), SettingError);
}

}  // namespace sdx
