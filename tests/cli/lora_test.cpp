// LoRAs as a person uses them: in prompts, as files, in pictures, and what is wrong with them.

#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "sdx/embedding/embedding_writer.h"
#include "sdx/embedding/lora_words.h"
#include "sdx/image/decode.h"
#include "sdx/image/metadata.h"
#include "sdx/image/write.h"
#include "sdx/tensor/safetensors.h"
#include "sdx/util/file.h"
#include "sdx/util/json.h"
#include "support/lora_files.h"
#include "support/played_gpus.h"
#include "support/refused.h"
#include "support/workplace.h"

#include "support/catch.h"

namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;
using sdx::test::check_refused;
using sdx::test::lora_file;
using sdx::test::RunResult;
using sdx::test::Workplace;

namespace {

sdx::Image read_image(const fs::path& file) { return sdx::decode_image(file).image; }

/// A workplace with a folder `loras` of "style" and "detail".
class LoraPlace : public Workplace {
 public:
  LoraPlace() {
    fs::create_directory(path() / "loras");
    fs::copy(lora_file("sd1-kohya"), path() / "loras/style.safetensors");
    fs::copy(lora_file("sd1-locon"), path() / "loras/detail.safetensors");
  }

  RunResult generate(std::vector<std::string> arguments) const {
    arguments.insert(arguments.end(), {"--steps", "2", "--json"});
    return run("sdx-generate", arguments);
  }

  /// The pictures that a run made, in order.
  std::vector<fs::path> make(const std::vector<std::string>& arguments) {
    const RunResult result = generate(arguments);
    said_ = result.err;
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
    std::vector<fs::path> pictures;
    std::istringstream lines(result.out);
    for (std::string line; std::getline(lines, line);) {
      pictures.push_back(path() / sdx::Json::parse(line).at("picture").get<std::string>());
    }
    return pictures;
  }

  std::vector<std::uint8_t> pixels(const std::vector<std::string>& arguments) {
    return read_image(make(arguments).at(0)).rgb;
  }

  const std::string& said() const { return said_; }

 private:
  std::string said_;
};

}  // namespace

TEST_CASE("lora: a prompt's tag, a file and a name give the same picture, which names it") {
  LoraPlace place;
  const auto plain = place.pixels({"a robot", "--seed", "7"});
  const fs::path tagged = place.make({"a robot <lora:style:0.8>", "--seed", "7"}).at(0);
  CHECK(read_image(tagged).rgb != plain);
  CHECK(tagged.filename().string().ends_with("-7-a-robot.png"));
  const std::string text = sdx::read_parameters(tagged).value();
  CHECK_THAT(text, Catch::Matchers::StartsWith("a robot <lora:style:0.8>\nSteps: 2") &&
                       ContainsSubstring(", Lora hashes: \"style: 4f45b1750b4e\", Version: \"sdx"));
  CHECK(place.pixels({"a robot", "--seed", "7", "--lora", "style:0.8"}) == read_image(tagged).rgb);
  const fs::path by_file =
      place.make({"a robot", "--seed", "7", "--lora", "loras/style.safetensors:0.8"}).at(0);
  CHECK(sdx::read_parameters(by_file).value() == text);
  CHECK(sdx::test::read_bytes(by_file) == sdx::test::read_bytes(tagged));
  // Strength 0 is no LoRA: the same pixels, and nothing to be named but the prompt.
  const fs::path none = place.make({"a robot", "--seed", "7", "--lora", "style:0"}).at(0);
  CHECK(read_image(none).rgb == plain);
  CHECK_THAT(sdx::read_parameters(none).value(), !ContainsSubstring("Lora hashes"));
}

TEST_CASE("lora: of two strengths the first is the text encoder's, as in AUTOMATIC1111") {
  LoraPlace place;
  const auto both = place.pixels({"a robot <lora:style:0.8>", "--seed", "7"});
  const auto only_text = place.pixels({"a robot <lora:style:0.8:0>", "--seed", "7"});
  const auto only_unet = place.pixels({"a robot <lora:style:0:0.8>", "--seed", "7"});
  CHECK(only_text != only_unet);
  CHECK(only_text != both);
  CHECK(place.pixels({"a robot <lora:style:te=0:unet=0.8>", "--seed", "7"}) == only_unet);
  CHECK(place.pixels({"a robot <lyco:style:0.8>", "--seed", "7"}) == both);
}

TEST_CASE("lora: prompts of one run have LoRAs of their own, in files and grids too") {
  LoraPlace place;
  std::ofstream(place.path() / "prompts.txt")
      << "a robot <lora:style:0.8>\na robot\n--prompt \"a robot\" --lora style:0.8\n"
         "--prompt \"a robot\" --lora detail --lora style:-1\n";
  const auto pictures = place.make({"--prompts", "prompts.txt", "--seed", "7"});
  REQUIRE(pictures.size() == 4);
  const auto rgb = [&](std::size_t i) { return read_image(pictures[i]).rgb; };
  CHECK(rgb(0) == rgb(2));
  CHECK(rgb(0) != rgb(1));
  CHECK(rgb(3) != rgb(0));
  CHECK(rgb(1) == place.pixels({"a robot", "--seed", "7"}));
  CHECK_THAT(sdx::read_parameters(pictures[3]).value(),
             Catch::Matchers::StartsWith("a robot <lora:detail:1> <lora:style:-1>\n"));
  // Four pictures and the sheet.
  const RunResult grid = place.generate(
      {"a robot", "--seed", "7", "--xy", "lora=style:0,style:0.4,style:0.8", "--out", "grid"});
  INFO(grid.err);
  CHECK(grid.exit_code == 0);
  CHECK(sdx::test::entries_in(place.path() / "grid") == 4);
}

TEST_CASE("lora: a picture is made again bit for bit from what it says") {
  LoraPlace place;
  const auto made = place.make({"a <lora:detail:0.6> robot", "--seed", "7", "-n", "2", "--lora",
                                "loras/style.safetensors:0.8:0.5"});
  REQUIRE(made.size() == 2);
  for (const fs::path& picture : made) {
    const fs::path again = place.make({"--from-image", picture, "--out", "again"}).at(0);
    CHECK(read_image(again).rgb == read_image(picture).rgb);
    CHECK(sdx::read_parameters(again) == sdx::read_parameters(picture));
  }
  CHECK_THAT(place.said(), !ContainsSubstring("another LoRA"));
  // Another file of that name.
  fs::copy(lora_file("sd1-peft"), place.path() / "loras/style.safetensors",
           fs::copy_options::overwrite_existing);
  place.make({"--from-image", made[0], "--out", "other"});
  CHECK_THAT(place.said(), ContainsSubstring("was made with another LoRA \"style\": expected the "
                                             "hash \"4f45b1750b4e\", found "));
  fs::remove(place.path() / "loras/style.safetensors");
  check_refused(place.generate({"--from-image", made[0]}), 66, {"no LoRA is called \"style\""});
}

TEST_CASE(
    "lora: a picture of AUTOMATIC1111 keeps its LoRAs; those that are not here are left out") {
  LoraPlace place;
  const std::string settings =
      "\nNegative prompt: bad <lora:detail:1>\nSteps: 2, Sampler: Euler a, "
      "CFG scale: 2, Seed: 5, Size: 64x64";
  const auto write = [&](const std::string& prompt, const std::string& more) {
    sdx::ImageMetadata metadata;
    metadata.parameters = prompt + settings + more;
    sdx::write_file_atomically(place.path() / "x.png",
                               sdx::encode_image(sdx::Image(64, 64), {}, metadata));
  };
  write("a robot <lora:style:0.8>, <lora:nobody:1>",
        ", Lora hashes: \"style: 4f45b1750b4e, nobody: 0123456789ab\", Version: v1.10.1");
  const fs::path made = place.make({"--from-image", "x.png"}).at(0);
  CHECK_THAT(sdx::read_parameters(made).value(),
             Catch::Matchers::StartsWith("a robot <lora:style:0.8>, \n") &&
                 ContainsSubstring("Lora hashes: \"style: 4f45b1750b4e\""));
  CHECK_THAT(place.said(),
             ContainsSubstring("x.png was made with the LoRA \"nobody\", which is not "
                               "here and left out; --loras FOLDER") &&
                 !ContainsSubstring("another LoRA") && !ContainsSubstring("not taken over"));
  CHECK_THAT(place.said(),
             ContainsSubstring("\"<lora:detail:1>\" in the negative prompt is left out"));
  write("a robot <lora:style:0.8>", ", Lora hashes: \"style: 0123456789ab\", Version: v1.10.1");
  place.make({"--from-image", "x.png"});
  CHECK_THAT(place.said(), ContainsSubstring("was made with another LoRA \"style\""));
}

TEST_CASE("lora: what is wrong with one is said before the work") {
  LoraPlace place;
  const at::Tensor one = at::ones({2, 2});
  const auto write = [&](const char* name, const sdx::TensorMap& tensors) {
    sdx::write_safetensors(place.path() / "loras" / name, tensors);
  };
  fs::copy(lora_file("sdxl-sgm"), place.path() / "loras/xl.safetensors");
  write("checkpoint.safetensors", {{"model.diffusion_model.out.2.weight", one}});
  write("half.safetensors", {{"lora_unet_mid_block_x.lora_up.weight", one}});
  write("strange.safetensors",
        {{"lora_unet_a.lora_up.weight", one}, {"lora_unet_a.lora_down.weight", one}});
  const auto refusal = [&](const std::string& prompt) { return place.generate({prompt}); };
  check_refused(refusal("a <lora:stile:1>"), 66,
                {"no LoRA is called \"stile\"", "the nearest names are \"style\"", "--loras says"});
  check_refused(refusal("a <lora:style:much>"), 64, {"<lora:style:much>", "is no number"});
  check_refused(
      refusal("a <lora:xl:1>"), 65,
      {"xl.safetensors: the LoRA was made for a model whose UNet reads a context of width "
       "192; the model here is tiny"});
  check_refused(refusal("a <lora:checkpoint:1>"), 65, {"this is a checkpoint"});
  check_refused(refusal("a <lora:half:1>"), 65, {"\"lora_down\" is missing"});
  check_refused(refusal("a <lora:strange:1>"), 65, {"none of its layers fits"});
  check_refused(place.generate({"a", "--lora", "absent.safetensors"}), 66, {"absent.safetensors"});
  check_refused(place.generate({"a", "--lora", "style:1:2:3"}), 64, {"has 3 strengths"});
  check_refused(place.generate({"a", "--loras", "absent.safetensors"}), 66, {"absent.safetensors"});
  check_refused(place.generate({"a <hypernet:x:1>"}), 64, {"hypernetwork"});
  // What has no meaning there: a word, a model.
  check_refused(place.generate({"<style>", "--embeddings", "loras"}), 65,
                {"<style> is there but cannot be used"});
  check_refused(place.run("sdx-model", {"import", "loras/style.safetensors", "--name", "m",
                                        "--models-dir", "m"}),
                65, {"a LoRA"});
  CHECK_FALSE(fs::exists(place.path() / "pictures"));
}

TEST_CASE("lora: layers that a model does not have are said, and the rest counts") {
  LoraPlace place;
  sdx::TensorMap tensors(sdx::map_safetensors(lora_file("sd1-kohya")).tensors);
  tensors["lora_unet_other_place.lora_up.weight"] = at::ones({2, 2});
  tensors["lora_unet_other_place.lora_down.weight"] = at::ones({2, 2});
  sdx::write_safetensors(place.path() / "loras/more.safetensors", tensors);
  const auto with_more = place.pixels({"a robot <lora:more:0.8>", "--seed", "7"});
  CHECK_THAT(place.said(),
             ContainsSubstring("more.safetensors: 1 layer that tiny does not have, left "
                               "out: \"lora_unet_other_place\""));
  CHECK(with_more == place.pixels({"a robot <lora:style:0.8>", "--seed", "7"}));
}

TEST_CASE("lora: words inside of one are used in prompts") {
  LoraPlace place;
  sdx::TensorMap tensors(sdx::map_safetensors(lora_file("sd1-kohya")).tensors);
  tensors["bundle_emb.Zoe.string_to_param.*"] = at::full({2, 32}, 0.2);
  sdx::write_safetensors(place.path() / "loras/zoe.safetensors", tensors);
  const fs::path made = place.make({"<Zoe> smiling <lora:zoe:0.8>", "--seed", "7"}).at(0);
  CHECK_THAT(sdx::read_parameters(made).value(), ContainsSubstring("TI hashes: \"Zoe: "));
  CHECK(place.pixels({"Zoe smiling <lora:zoe:0.8>", "--seed", "7", "--bare-names"}) ==
        read_image(made).rgb);
  CHECK(place.pixels({"smiling <lora:zoe:0.8>", "--seed", "7"}) != read_image(made).rgb);
  check_refused(place.generate({"<Zoe> smiling"}), 64, {"<Zoe> is not known"});
  const std::vector<std::string> by_file = {"Zoe smiling", "--lora", "loras/zoe.safetensors:0.8",
                                            "--seed",      "7",      "--bare-names"};
  CHECK(place.pixels(by_file) == read_image(made).rgb);

  // Of two pictures, the word is known to that of its LoRA, also where that has no strength.
  const std::string home = "is a word inside of the LoRA \"zoe\", which the prompt ";
  check_refused(place.generate({"<Zoe> smiling <lora:zoe:0.8>", "<Zoe> crying <lora:style:1>"}), 64,
                {"<Zoe> " + home +
                 "\"<Zoe> crying <lora:style:1>\" does not name; add "
                 "<lora:zoe:1>"});
  check_refused(place.generate({"smiling <lora:zoe:0.8>", "crying", "--negative", "<Zoe>"}), 64,
                {home + "\"crying\""});
  const auto bare =
      place.make({"Zoe smiling <lora:zoe:0.8>", "Zoe smiling", "--seed", "7", "--bare-names"});
  REQUIRE(bare.size() == 2);
  CHECK(read_image(bare[0]).rgb == read_image(made).rgb);
  CHECK_THAT(sdx::read_parameters(bare[1]).value(), Catch::Matchers::StartsWith("Zoe smiling\n"));
  CHECK(place.make({"<Zoe> <lora:zoe:0>", "<Zoe> <lora:zoe:1>", "--seed", "7"}).size() == 2);
  const RunResult grid =
      place.generate({"<Zoe>", "--xy", "lora=loras/zoe.safetensors:0,zoe:1", "--seed", "7"});
  INFO(grid.err);
  CHECK(grid.exit_code == 0);
  // A file of the same word makes it known to all.
  fs::create_directory(place.path() / "embeddings");
  sdx::write_embedding(place.path() / "embeddings/Zoe.safetensors",
                       sdx::read_lora_words(place.path() / "loras/zoe.safetensors").at(0));
  CHECK(place.make({"<Zoe> smiling <lora:zoe:0.8>", "<Zoe> crying", "--seed", "7"}).size() == 2);
}

TEST_CASE("lora: processes of several GPUs make the same pictures with them") {
  LoraPlace place;
  std::ofstream(place.path() / "prompts.txt")
      << "a robot <lora:style:0.8>\na robot\n--prompt snow --lora loras/detail.safetensors:0.5\n";
  const auto make = [&](const std::string& folder, const std::string& gpus) {
    const RunResult result = sdx::test::run(sdx::test::with_gpus(
        place.command("sdx-generate",
                      {"--prompts", "prompts.txt", "-n", "2", "--steps", "2", "--seed", "7",
                       "--batch", "1", "--threads", "1", "--gpus", gpus, "--out", folder}),
        "fine,fine"));
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::directory_iterator(place.path() / folder)) {
      files[entry.path().filename()] = sdx::test::read_bytes(entry.path());
    }
    return files;
  };
  const auto alone = make("alone", "none");
  REQUIRE(alone.size() == 6);
  CHECK((make("shared", "all") == alone));
}

TEST_CASE("lora: sdx-model lora show says what a file is") {
  const LoraPlace place;
  const RunResult shown = place.run("sdx-model", {"lora", "show", lora_file("sd1-alphas")});
  INFO(shown.err);
  REQUIRE(shown.exit_code == 0);
  for (const char* line :
       {"prompt    <lora:sd1-alphas:1>\n",
        "made for  a model whose UNet reads a context of width 32\n", "kind      LoRA\n",
        "layers    text encoder (3), unet (5)\n", "dtype     F32\n"}) {
    CHECK_THAT(shown.out, ContainsSubstring(line));
  }
  const RunResult json = place.run("sdx-model", {"lora", "show", "--json", lora_file("sdxl-sgm"),
                                                 lora_file("sd1-dora-rows"), "faces/0.png"});
  CHECK(json.exit_code == 65);
  std::istringstream stream(json.out);
  std::vector<sdx::Json> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(sdx::Json::parse(line));
  REQUIRE(lines.size() == 3);
  CHECK(lines[0]["parts"]["second text encoder"] == 2);
  CHECK(lines[0]["hash"].get<std::string>().size() == 12);
  CHECK(lines[1]["kinds"].contains("LoCon with magnitudes (DoRA)"));
  CHECK(lines[1]["layers"][0]["magnitude"] == true);
  CHECK_THAT(lines[2]["problem"].get<std::string>(), ContainsSubstring("a picture"));
  check_refused(place.run("sdx-model", {"lora", "show", lora_file("sd1-kohya").string() + "x"}), 66,
                {"no such file"});
}
