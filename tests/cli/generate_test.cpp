#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

#include "sdx/image/decode.h"
#include "sdx/image/metadata.h"
#include "sdx/util/file.h"
#include "sdx/util/json.h"
#include "support/workplace.h"

#include "support/catch.h"

namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;
using sdx::test::RunResult;
using sdx::test::Workplace;

namespace {

/// The pictures of a folder by name, without contact sheets.
std::vector<fs::path> images_in(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename();
    if (entry.path().extension() != ".json" && name.find("-grid") == std::string::npos) {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string extract_parameters(const fs::path& made_image) {
  return sdx::read_parameters(made_image).value_or("");
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

RunResult generate(const Workplace& place, std::vector<std::string> arguments,
                   const std::string& steps = "2") {
  arguments.insert(arguments.end(), {"--steps", steps});
  RunResult result = place.run("sdx-generate", std::move(arguments));
  INFO(result.err);
  CHECK(result.exit_code == 0);
  return result;
}

void check_refused(const Workplace& place, std::vector<std::string> arguments, int exit_code,
                   const std::vector<std::string>& words) {
  const RunResult result = place.run("sdx-generate", std::move(arguments));
  INFO(result.err);
  CHECK(result.exit_code == exit_code);
  for (const std::string& word : words) CHECK_THAT(result.err, ContainsSubstring(word));
  CHECK((!fs::exists(place.path() / "pictures") || images_in(place.path() / "pictures").empty()));
}

}  // namespace

TEST_CASE("cli: --from-image makes a picture again, bit for bit, out of every format") {
  const Workplace place;
  for (const std::string format : {"png", "jpeg", "webp"}) {
    INFO(format);
    generate(place,
             {"a (robot:1.2) [snow:hat:0.5]",
              "--negative",
              "red, \"hair\"",
              "-n",
              "3",
              "--seed",
              "7",
              "--sampler",
              "euler_a",
              "--schedule",
              "karras",
              "--cfg",
              "4.3",
              "--clip-skip",
              "2",
              "--size",
              "72x64",
              "--variation-seed",
              "5",
              "--variation-strength",
              "0.2",
              "--format",
              format,
              "--out",
              format},
             "3");
    const fs::path made = images_in(place.path() / format).at(1);
    CHECK_THAT(extract_parameters(made), ContainsSubstring("Schedule type: Karras"));
    CHECK_THAT(extract_parameters(made), ContainsSubstring("Seed: 8"));
    const RunResult again = place.run(
        "sdx-generate", {"--from-image", made, "--format", format, "--out", format + "-again"});
    INFO(again.err);
    CHECK(again.exit_code == 0);
    const fs::path replayed = images_in(place.path() / (format + "-again")).at(0);
    CHECK(sdx::read_file(replayed) == sdx::read_file(made));
  }
}

TEST_CASE("cli: an approximated picture says so, and is made again") {
  const Workplace place;
  generate(place,
           {"a robot", "--seed", "7", "-n", "2", "--cfg-end", "0.7", "--reuse-features", "2",
            "--out", "a"},
           "5");
  const fs::path made = images_in(place.path() / "a").at(1);
  CHECK_THAT(extract_parameters(made),
             ContainsSubstring("CFG end: 0.7, DeepCache interval: 2, Seed"));
  const RunResult again = place.run("sdx-generate", {"--from-image", made, "--out", "b"});
  INFO(again.err);
  REQUIRE(again.exit_code == 0);
  CHECK(sdx::read_file(images_in(place.path() / "b").at(0)) == sdx::read_file(made));
  generate(place, {"--from-image", made, "--cfg-end", "1", "--reuse-features", "1", "--out", "c"},
           "5");
  const fs::path exact = images_in(place.path() / "c").at(0);
  CHECK_THAT(extract_parameters(exact),
             !ContainsSubstring("DeepCache") && !ContainsSubstring("CFG end"));
  CHECK(sdx::decode_image(exact).image.rgb != sdx::decode_image(made).image.rgb);
  check_refused(place, {"a robot", "--cfg-end", "1.5"}, 64, {"--cfg-end", "1.5"});
  check_refused(place, {"a robot", "--reuse-features", "0"}, 64, {"--reuse-features", "0"});
}

TEST_CASE("cli: a picture in bfloat16 is made again by --dtype bf16, which --from-image advises") {
  const Workplace place;
  const std::string made = first_line(generate(place, {"a robot", "--dtype", "bf16"}).out);
  CHECK_THAT(extract_parameters(place.path() / made), ContainsSubstring("Precision: bf16"));
  const RunResult other = generate(place, {"--from-image", made, "--out", "b"});
  CHECK_THAT(other.err, ContainsSubstring("computed in bf16, this is in fp32") &&
                            ContainsSubstring("--dtype bf16 makes the same"));
  const std::string again =
      first_line(generate(place, {"--from-image", made, "--dtype", "bf16", "--out", "c"}).out);
  CHECK(sdx::read_file(place.path() / again) == sdx::read_file(place.path() / made));
}

TEST_CASE("cli: what is typed comes before what --from-image says") {
  const Workplace place;
  generate(place, {"a robot", "--seed", "7", "--cfg", "4", "--out", "a"});
  const std::string made = images_in(place.path() / "a").at(0);
  generate(place, {"--from-image", made, "--seed", "+3", "--cfg", "5", "--out", "b"}, "1");
  CHECK_THAT(extract_parameters(images_in(place.path() / "b").at(0)),
             ContainsSubstring("a robot\nSteps: 1, Sampler: DPM++ 2M, CFG scale: 5, Seed: 10,"));
  generate(place, {"snow", "--from-image", made, "--out", "c"});
  CHECK_THAT(extract_parameters(images_in(place.path() / "c").at(0)),
             ContainsSubstring("snow\nSteps"));
}

TEST_CASE("cli: --from-image refuses pictures that say nothing") {
  const Workplace place;
  check_refused(place, {"--from-image", "faces/0.png"}, 65,
                {"faces/0.png", "doesn't say how it was made"});
  check_refused(place, {"--from-image", "absent.png"}, 66, {"absent.png"});
  sdx::write_file_atomically(place.path() / "text.png", "no picture");
  check_refused(place, {"--from-image", "text.png"}, 65, {"text.png"});
}

TEST_CASE("cli: pictures in three formats, with a sidecar and nothing about the machine") {
  const Workplace place;
  for (const std::string format : {"png", "jpeg", "webp"}) {
    generate(place, {"a robot", "--seed", "1", "--format", format, "--sidecar", "--out", format});
    const fs::path made = images_in(place.path() / format).at(0);
    CHECK(sdx::decode_image(made).image.width_px == 64);
    const std::string bytes = sdx::read_file(made);
    CHECK_THAT(bytes, ContainsSubstring("trainedAlgorithmicMedia"));
    CHECK_THAT(bytes, !ContainsSubstring(place.path().string()));
    const sdx::Json sidecar = sdx::read_json_file(fs::path(made).replace_extension(".json"));
    CHECK(sidecar["prompt"] == "a robot");
    CHECK(sidecar["settings"]["Seed"] == "1");
  }
  check_refused(place, {"a robot", "--format", "gif"}, 64, {"png", "gif"});
}

TEST_CASE("cli: a picture that another process wrote meanwhile is not replaced") {
  const Workplace place;
  const fs::path folder = place.path() / "pictures";
  sdx::test::Run command =
      place.command("sdx-generate", {"a robot", "--seed", "7", "-n", "2", "--batch", "1", "--steps",
                                     "300", "--grid", "--sidecar", "--out", "pictures"});
  command.meanwhile = [&](pid_t child) {
    // The second picture takes 300 steps from here.
    while (!fs::exists(folder / "0001-7-a-robot.png") && sdx::test::is_running(child)) {
    }
    std::ofstream(folder / "0002-8-a-robot.png") << "theirs";
    std::ofstream(folder / "0001-grid.png") << "theirs";
    std::ofstream(folder / "0003-8-a-robot.json") << "theirs";
  };
  const RunResult result = sdx::test::run(command);
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK(sdx::read_file(folder / "0002-8-a-robot.png") == "theirs");
  CHECK(sdx::read_file(folder / "0001-grid.png") == "theirs");
  CHECK(sdx::decode_image(folder / "0003-8-a-robot.png").image.width_px == 64);
  CHECK(fs::exists(folder / "0001-7-a-robot.png"));
  CHECK(sdx::read_file(folder / "0003-8-a-robot.json") == "theirs");
  CHECK(sdx::read_json_file(folder / "0003-8-a-robot.png.json")["prompt"] == "a robot");
  CHECK(std::distance(fs::directory_iterator(folder), fs::directory_iterator()) == 8);
}

TEST_CASE("cli: files are named by their people, in every script") {
  const Workplace place;
  for (const char* name : {"Ada", "李雷"}) REQUIRE(place.train(name).exit_code == 0);
  fs::create_directory(place.path() / "out");
  std::ofstream(place.path() / "out/2147483647.png") << "x";  // more than an int counts on from
  const auto made = [&](const std::string& prompt) {
    generate(place, {prompt, "--seed", "1", "--out", "out"});
  };
  made("harry potter hermione granger from harry potter, <Ada>");
  made("harry potter hermione granger from harry potter, <李雷>");
  made("<李雷>");
  std::set<std::string> files;
  for (const auto& entry : fs::directory_iterator(place.path() / "out")) {
    files.insert(entry.path().filename().string());
  }
  CHECK(files ==
        std::set<std::string>{"2147483647.png",
                              "2147483648-1-harry-potter-hermione-granger-from-harry-ada.png",
                              "2147483649-1-harry-potter-hermione-granger-from-harry-李雷.png",
                              "2147483650-1-李雷.png"});
}

TEST_CASE("cli: a prompt in brackets stays one") {
  const Workplace place;
  generate(place, {"[robot, red:snow:1]", "a, hat", "--negative", "[red,hat:snow:1]", "--seed", "1",
                   "--out", "pictures"});
  const std::vector<fs::path> made = images_in(place.path() / "pictures");
  REQUIRE(made.size() == 2);
  CHECK_THAT(extract_parameters(made[0]),
             ContainsSubstring("[robot, red:snow:1]\nNegative prompt: [red,hat:snow:1]\n"));
  sdx::write_file_atomically(place.path() / "c.json", R"({"prompt": ["[robot, red:snow:1]"]})");
  const RunResult config = place.run("sdx-generate", {"--config", "c.json", "--print-config"});
  CHECK(sdx::Json::parse(config.out)["prompt"] == sdx::Json({"[robot, red:snow:1]"}));
  const RunResult tokens = place.run("sdx-tokenize", {"[robot, red:snow:1]", "a hat"});
  CHECK_THAT(tokens.out, ContainsSubstring("steps 1 to 1: robot, red\n"));
  CHECK_THAT(tokens.out, ContainsSubstring("a hat\n"));
}

TEST_CASE("cli: a prompts file may have options on its lines") {
  const Workplace place;
  sdx::write_file_atomically(
      place.path() / "p.txt",
      "a robot\n"
      "--prompt \"snow, \\\"deep\\\"\" --negative_prompt hat --seed 9 --steps 3 "
      "--sampler_name \"Euler a\" --cfg_scale 2 --width 72 --height 64\n");
  generate(place, {"--prompts", "p.txt", "--seed", "4", "--out", "pictures"});
  const std::vector<fs::path> made = images_in(place.path() / "pictures");
  REQUIRE(made.size() == 2);
  CHECK_THAT(extract_parameters(made[0]), ContainsSubstring("Steps: 2, Sampler: DPM++ 2M"));
  CHECK_THAT(extract_parameters(made[1]),
             ContainsSubstring("Negative prompt: hat\nSteps: 3, Sampler: Euler a, CFG scale: 2, "
                               "Seed: 9, Size: 72x64"));
}

TEST_CASE("cli: final latents of pictures of two sizes are refused before the work") {
  const Workplace place;
  sdx::write_file_atomically(place.path() / "p.txt",
                             "a robot\n--prompt \"snow\" --width 72 --height 64\n");
  const auto run = [&](std::vector<std::string> more) {
    std::vector<std::string> arguments = {"--prompts", "p.txt",  "--seed",         "1",
                                          "--steps",   "1",      "--save-latents", "final.st",
                                          "--out",     "latents"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return place.run("sdx-generate", arguments);
  };
  const sdx::test::RunResult refused = run({});
  CHECK(refused.exit_code == 64);
  CHECK_THAT(refused.err,
             ContainsSubstring("--save-latents: expected pictures of one size, found ") &&
                 ContainsSubstring(" and 72x64; make those of each size"));
  CHECK((!fs::exists(place.path() / "latents") || fs::is_empty(place.path() / "latents")));
  CHECK(run({"--size", "72x64"}).exit_code == 0);  // one size, said in two ways
}

TEST_CASE("cli: a bad line of a prompts file is named") {
  const Workplace place;
  sdx::write_file_atomically(place.path() / "p.txt", "a robot\n\n--prompt snow --stepps 3\n");
  check_refused(place, {"--prompts", "p.txt"}, 64, {"p.txt:3", "--stepps", "--steps"});
  sdx::write_file_atomically(place.path() / "p.txt", "--steps 3\n");
  check_refused(place, {"--prompts", "p.txt"}, 64, {"p.txt:1", "--prompt is missing"});
}

TEST_CASE("cli: a grid over two options") {
  const Workplace place;
  generate(place, {"a robot", "--seed", "1", "--xy", "cfg=2,4,6", "sampler=euler,ddim", "--out",
                   "pictures"});
  const std::vector<fs::path> made = images_in(place.path() / "pictures");
  REQUIRE(made.size() == 6);
  CHECK_THAT(extract_parameters(made[1]), ContainsSubstring("Sampler: Euler, CFG scale: 4"));
  CHECK_THAT(extract_parameters(made[3]), ContainsSubstring("Sampler: DDIM, CFG scale: 2"));
  const sdx::Image grid = sdx::decode_image(place.path() / "pictures/0001-grid.png").image;
  CHECK(grid.width_px > grid.height_px);

  generate(place, {"a robot", "--seed", "1", "--xy", "prompt=robot,snow", "--out", "words"});
  CHECK_THAT(extract_parameters(images_in(place.path() / "words").at(1)),
             ContainsSubstring("a snow\n"));
}

TEST_CASE("cli: grids that cannot be") {
  const Workplace place;
  check_refused(place, {"a robot", "--xy", "cfg"}, 64, {"--xy", "cfg=5,7,9"});
  check_refused(place, {"a robot", "--xy", "cgf=1,2"}, 64, {"--xy cgf=1", "--cfg"});
  check_refused(place, {"a robot", "--xy", "cfg=high"}, 64, {"--xy cfg=high", "a number"});
  check_refused(place, {"a robot", "--xy", "prompt=snow,hat"}, 64, {"\"snow\" is not in"});
}

TEST_CASE("cli: dynamic prompts by chance, in all combinations, or off") {
  const Workplace place;
  const RunResult all = generate(
      place, {"a {red|blue} {hat|robot}", "--dynamic", "all", "--seed", "1", "--out", "all"});
  CHECK_THAT(all.err, ContainsSubstring("4 pictures will be made"));
  const std::vector<fs::path> made = images_in(place.path() / "all");
  REQUIRE(made.size() == 4);
  CHECK_THAT(extract_parameters(made[3]), ContainsSubstring("a blue robot\n"));

  generate(place, {"a {red|blue} hat", "--seed", "1", "-n", "2", "--out", "chance"});
  const std::string drawn = extract_parameters(images_in(place.path() / "chance").at(0));
  CHECK((drawn.starts_with("a red hat\n") || drawn.starts_with("a blue hat\n")));
  generate(place, {"a {red|blue} hat", "--dynamic", "off", "--seed", "1", "--out", "off"});
  CHECK_THAT(extract_parameters(images_in(place.path() / "off").at(0)),
             ContainsSubstring("a {red|blue} hat\n"));

  fs::create_directory(place.path() / "lists");
  sdx::write_file_atomically(place.path() / "lists/hats.txt", "# hats\nred hat\n");
  generate(place, {"a __hats__", "--wildcards", "lists", "--seed", "1", "--out", "lists-out"});
  CHECK_THAT(extract_parameters(images_in(place.path() / "lists-out").at(0)),
             ContainsSubstring("a red hat\n"));
  check_refused(place, {"a __hat__", "--wildcards", "lists"}, 66, {"hat", "hats"});
}

TEST_CASE("cli: styles from a styles file") {
  const Workplace place;
  sdx::write_file_atomically(place.path() / "styles.csv",
                             "name,prompt,negative_prompt\nwinter,\"{prompt}, snow\",red\n");
  generate(place, {"a robot", "--style", "winter", "--seed", "1", "--out", "pictures"});
  CHECK_THAT(extract_parameters(images_in(place.path() / "pictures").at(0)),
             ContainsSubstring("a robot, snow\nNegative prompt: red\n"));
  generate(place, {"a robot", "--xy", "style=winter", "--seed", "1", "--out", "axis"});
  CHECK_THAT(extract_parameters(images_in(place.path() / "axis").at(0)),
             ContainsSubstring("a robot, snow\nNegative prompt: red\n"));
  fs::remove_all(place.path() / "pictures");
  check_refused(place, {"a robot", "--style", "wintr"}, 64, {"wintr", "winter"});
  check_refused(place, {"a robot", "--style", "winter", "--styles", "absent.csv"}, 66,
                {"absent.csv"});
}

TEST_CASE("cli: options that may be repeated leave the prompt alone") {
  const Workplace place;
  sdx::write_file_atomically(
      place.path() / "styles.csv",
      "name,prompt,negative_prompt\na,\"{prompt}, snow\",\nb,\"{prompt}, hat\",\n");
  generate(place, {"--style", "a", "--style", "b", "--embeddings", "embeddings", "a robot",
                   "--seed", "1", "--out", "pictures"});
  CHECK_THAT(extract_parameters(images_in(place.path() / "pictures").at(0)),
             ContainsSubstring("a robot, snow, hat\n"));
  sdx::write_file_atomically(place.path() / "c.json",
                             R"({"prompt": ["a robot"], "style": ["b", "a"], "seed": 1})");
  generate(place, {"--config", "c.json", "--out", "config"});
  CHECK_THAT(extract_parameters(images_in(place.path() / "config").at(0)),
             ContainsSubstring("a robot, hat, snow\n"));
}

TEST_CASE("cli: names without brackets, and files that no prompt uses") {
  const Workplace place;
  REQUIRE(place.train("Ada").exit_code == 0);
  generate(place, {"Ada and Adam, <Ada>", "--bare-names", "--seed", "1", "--out", "bare"});
  CHECK_THAT(
      extract_parameters(images_in(place.path() / "bare").at(0)),
      ContainsSubstring("<Ada> and Adam, <Ada>\n") && ContainsSubstring("TI hashes: \"Ada: "));
  check_refused(place, {"a robot", "--embeddings", "embeddings/Ada.safetensors"}, 64,
                {"Ada.safetensors"});
  check_refused(place, {"[robot:<Eva>:2]"}, 64, {"<Eva> is not known", "<Ada>"});
}

TEST_CASE("cli: pictures from pictures") {
  const Workplace place;
  const auto made_with = [&](const std::string& out, std::vector<std::string> more) {
    more.insert(more.begin(), {"a robot", "--seed", "1", "--out", out});
    generate(place, more, "4");
    return images_in(place.path() / out).at(0);
  };
  const fs::path from = made_with("from", {"--init-image", "faces/0.png", "--strength", "0.5"});
  CHECK_THAT(extract_parameters(from), ContainsSubstring("Denoising strength: 0.5"));
  CHECK_THAT(extract_parameters(from), !ContainsSubstring("faces"));
  const fs::path masked =
      made_with("mask", {"--init-image", "faces/0.png", "--mask", "faces/1.png"});
  CHECK(sdx::read_file(masked) != sdx::read_file(from));
  const fs::path larger = made_with("hires", {"--hires", "2", "--hires-strength", "0.3"});
  CHECK(sdx::decode_image(larger).image.width_px == 128);
  const fs::path again_larger = place.path() / "again";
  place.run("sdx-generate", {"--from-image", larger, "--out", again_larger});
  CHECK(sdx::read_file(images_in(again_larger).at(0)) == sdx::read_file(larger));
  const fs::path tile = made_with("tile", {"--tile"});
  CHECK_THAT(extract_parameters(tile), ContainsSubstring("Tiling: True"));

  const std::vector<std::string> start = {"--init-image", "faces/0.png"};
  const fs::path both = made_with("both", {"--init-image", "faces/0.png", "--strength", "0.5",
                                           "--hires", "2", "--hires-strength", "0.3"});
  for (const fs::path& made : {from, both}) {
    const RunResult alone = place.run("sdx-generate", {"--from-image", made, "--out", "alone"});
    CHECK_THAT(alone.err, ContainsSubstring("was made from another picture"));
    fs::remove_all(place.path() / "replayed");
    const RunResult replay =
        place.run("sdx-generate", {"--from-image", made, start[0], start[1], "--out", "replayed"});
    CHECK_THAT(replay.err, !ContainsSubstring("was made from another picture"));
    CHECK(sdx::read_file(images_in(place.path() / "replayed").at(0)) == sdx::read_file(made));
  }

  check_refused(place, {"a robot", "--mask", "faces/1.png"}, 64, {"--mask needs an --init-image"});
  check_refused(place, {"a robot", "--init-image", "absent.png"}, 66, {"absent.png"});
  sdx::write_file_atomically(place.path() / "text.png", "no picture");
  check_refused(place, {"a robot", "--init-image", "text.png"}, 65, {"--init-image text.png"});
  check_refused(place, {"a robot", "--strength", "2"}, 64, {"--strength"});
}

TEST_CASE("cli: --list-samplers lists them, and each makes a picture") {
  const Workplace place;
  const RunResult list = place.run("sdx-generate", {"--list-samplers"});
  CHECK(list.exit_code == 0);
  std::vector<std::string> samplers;
  std::istringstream lines(list.out);
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    samplers.emplace_back();
    words >> samplers.back();
  }
  REQUIRE(samplers.size() == 17);
  std::string values;
  for (const std::string& sampler : samplers) values += (values.empty() ? "" : ",") + sampler;
  generate(place, {"a robot", "--seed", "1", "--xy", "sampler=" + values, "--out", "samplers"},
           "3");
  CHECK(images_in(place.path() / "samplers").size() == samplers.size());
  generate(place,
           {"a robot", "--seed", "1", "--out", "schedules", "--xy",
            "schedule=auto,normal,karras,exponential,sgm_uniform,simple,ddim,beta,trailing,ays"},
           "3");
  CHECK(images_in(place.path() / "schedules").size() == 10);
  generate(place, {"a robot", "--seed", "1", "--sigmas", "14,5,2,0.5", "--out", "sigmas"});
  CHECK_THAT(extract_parameters(images_in(place.path() / "sigmas").at(0)),
             ContainsSubstring("Sigmas: \"14, 5, 2, 0.5\""));
  check_refused(place, {"a robot", "--sigmas", "1,2"}, 64, {"fall"});
  check_refused(place, {"a robot", "--schedule", "kerras"}, 64, {"kerras", "karras"});
}
