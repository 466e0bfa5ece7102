// Pictures of other programs, and lines of AUTOMATIC1111's "prompts from file", as a person gives
// them to sdx-generate.

#include <map>

#include "sdx/image/metadata.h"
#include "sdx/image/png.h"
#include "sdx/util/file.h"
#include "support/image_files.h"
#include "support/workplace.h"

#include "support/catch.h"

namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;
using sdx::test::RunResult;
using sdx::test::Workplace;

namespace {

using Texts = std::map<std::string, std::string>;

/// A folder with a picture that holds these texts; what is made of it gets into "made".
class ForeignPlace {
 public:
  explicit ForeignPlace(const Texts& texts = {}) {
    sdx::write_png(place_.path() / "x.png", sdx::Image(16, 16), texts);
  }

  explicit ForeignPlace(const std::string& parameters)
      : ForeignPlace({{"parameters", parameters}}) {}

  const Workplace& place() const { return place_; }

  RunResult run(std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments = {"--from-image", "x.png", "--out", "made"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return place_.run("sdx-generate", arguments);
  }

  /// The text of the one picture that is made.
  std::string make(std::vector<std::string> more = {}) {
    fs::remove_all(place_.path() / "made");
    const RunResult result = run(std::move(more));
    said_ = result.err;
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
    std::string found;
    for (const auto& entry : fs::directory_iterator(place_.path() / "made")) {
      CHECK(found.empty());
      found = sdx::read_parameters(entry.path()).value_or("");
    }
    return found;
  }

  /// What the last picture's making said.
  const std::string& said() const { return said_; }

  /// The complaint, with nothing made.
  std::string refuse(int exit_code, std::vector<std::string> more = {}) const {
    const RunResult result = run(std::move(more));
    INFO(result.err);
    CHECK(result.exit_code == exit_code);
    CHECK_FALSE(fs::exists(place_.path() / "made"));
    return result.err;
  }

 private:
  Workplace place_;
  std::string said_;
};

std::string made_with(const std::string& fields) {
  return "robot\nNegative prompt: blurry\nSteps: 2, CFG scale: 2, Size: 64x64, " + fields;
}

}  // namespace

TEST_CASE("foreign pictures: names of samplers are understood in pictures") {
  for (const auto& [theirs, ours] : std::vector<std::pair<std::string, std::string>>{
           {"Sampler: euler discrete", "Sampler: Euler, Schedule type: Normal,"},
           {"Sampler: dpmpp_2m_sde_gpu_karras", "Sampler: DPM++ 2M SDE, Schedule type: Karras,"},
           {"Sampler: k_euler_a, Schedule type: ddim_uniform",
            "Sampler: Euler a, Schedule type: DDIM,"},
           {"Sampler: LMSDiscreteScheduler", "Sampler: LMS,"}}) {
    INFO(theirs);
    ForeignPlace place(made_with(theirs + ", Seed: 5"));
    CHECK_THAT(place.make(), ContainsSubstring("\nSteps: 2, " + ours + " CFG scale: 2, Seed: 5,"));
  }
  ForeignPlace variant(made_with("Sampler: dpm++2mv2 karras, Seed: 5"));
  CHECK_THAT(variant.make(), ContainsSubstring("Sampler: DPM++ 2M, Schedule type: Karras,"));
  CHECK_THAT(variant.said(), ContainsSubstring("it is made as dpmpp_2m"));
}

TEST_CASE("foreign pictures: names of samplers are understood where they are typed") {
  ForeignPlace place(made_with("Sampler: Euler, Seed: 5"));
  CHECK_THAT(place.make({"--sampler", "dpm_2_ancestral", "--schedule", "ddim_uniform"}),
             ContainsSubstring("Sampler: DPM2 a, Schedule type: DDIM,"));
  CHECK_THAT(place.make({"--sampler", "euler discrete"}),
             ContainsSubstring("Sampler: Euler, Schedule type: Normal,"));
  fs::remove_all(place.place().path() / "made");
  CHECK_THAT(place.refuse(64, {"--sampler", "DPM fast"}),
             ContainsSubstring("--sampler: there is no \"DPM fast\" here: it is DPM-Solver in one "
                               "walk; the nearest is --sampler dpmpp_2m"));
  CHECK_THAT(place.refuse(64, {"--schedule", "kl_optimal"}),
             ContainsSubstring("the nearest is --schedule karras"));
}

TEST_CASE("foreign pictures: a sampler or schedule that we lack is named, and gives way") {
  for (const auto& [theirs, advice] : std::vector<std::pair<std::string, std::string>>{
           {"Sampler: DPM++ 2M SDE Heun", "--sampler dpmpp_2m_sde"},
           {"Sampler: Restart", "--sampler heun"},
           {"Sampler: DDIM CFG++", "--sampler ddim"}}) {
    ForeignPlace place(made_with(theirs + ", Schedule type: KL Optimal, Seed: 5"));
    // Everything that stands in the way is said at once.
    const std::string complaint = place.refuse(64);
    CHECK_THAT(complaint, ContainsSubstring("--from-image x.png: --sampler: there is no"));
    CHECK_THAT(complaint,
               ContainsSubstring("the nearest is " + advice + "; and --schedule: there"));
    CHECK_THAT(complaint, ContainsSubstring("the nearest is --schedule karras"));
    CHECK_THAT(place.make({"--sampler", "euler", "--schedule", "normal"}),
               ContainsSubstring("Sampler: Euler, Schedule type: Normal, CFG scale: 2, Seed: 5"));
  }
  // Of a joint name the part that is not typed holds.
  ForeignPlace joint(made_with("Sampler: DPM fast Karras, Seed: 5"));
  CHECK_THAT(joint.make({"--sampler", "euler"}),
             ContainsSubstring("Sampler: Euler, Schedule type: Karras,"));
  ForeignPlace other(made_with("Sampler: Heun Polyexponential, Seed: 5"));
  CHECK_THAT(other.make({"--schedule", "karras"}),
             ContainsSubstring("Sampler: Heun, Schedule type: Karras,"));
}

TEST_CASE("foreign pictures: numbers that cannot be are named with what to type") {
  for (const auto& [field, advice, typed] :
       std::vector<std::tuple<std::string, std::string, std::vector<std::string>>>{
           {"Seed: 123.0", "type --seed 123", {"--seed", "5"}},
           {"Seed: -1", "type --seed random", {"--seed", "5"}},
           {"Clip skip: -2, Seed: 5", "type --clip-skip 2", {"--clip-skip", "1"}},
           {"CFG Rescale: 7, Seed: 5", "type --cfg-rescale 0", {"--cfg-rescale", "0"}}}) {
    INFO(field);
    ForeignPlace place(made_with(field));
    CHECK_THAT(place.refuse(64),
               ContainsSubstring("--from-image x.png: --") && ContainsSubstring("; " + advice));
    CHECK_THAT(place.make(typed), ContainsSubstring("Seed: 5"));
  }
  for (const auto& [field, option, advice] :
       std::vector<std::tuple<std::string, std::string, std::string>>{
           {"Steps: 0", "--steps", "20"},
           {"Steps: many", "--steps", "20"},
           {"Size: 0x0", "--size", "auto"},
           {"Size: 99999999999x8", "--size", "auto"},
           {"CFG scale: nan", "--cfg", "auto"}}) {
    INFO(field);
    ForeignPlace place("robot\nSeed: 5, Sampler: Euler, Model: m, " + field);
    CHECK_THAT(place.refuse(64), ContainsSubstring(option + ": expected") &&
                                     ContainsSubstring("; type " + option + " " + advice));
  }
}

TEST_CASE("foreign pictures: a size out of proportion is said before the work") {
  const ForeignPlace huge("robot\nSteps: 2, Seed: 5, Sampler: Euler, Size: 8192x8192");
  for (const std::vector<std::string>& more :
       {std::vector<std::string>{}, {"--size", "65536x65536"}}) {
    const RunResult result = huge.run(more);
    INFO(result.err);
    CHECK(result.exit_code == (more.empty() ? 64 : 75));
    CHECK_THAT(result.err, ContainsSubstring(" of memory"));
    CHECK_THAT(result.err, ContainsSubstring(more.empty() ? "type --size 64x64, or --size 8192x8192"
                                                          : "--size: 65536x65536 pixels take"));
    CHECK_FALSE(fs::exists(huge.place().path() / "made"));
  }
  ForeignPlace large("robot\nSteps: 1, Seed: 5, Sampler: Euler, Size: 512x512");
  CHECK_THAT(large.make(), ContainsSubstring("Size: 512x512"));
  CHECK_THAT(large.said(), ContainsSubstring("x.png: its size is 512x512, 64 times the pixels") &&
                               ContainsSubstring("--size 64x64 is quicker"));
}

TEST_CASE("foreign pictures: Fooocus' and SwarmUI's JSON becomes no prompt") {
  ForeignPlace fooocus({{"parameters",
                         R"json({"prompt": "a hat", "negative_prompt": "", "steps": 2, "seed": "5",
                             "sampler": "dpmpp_2m_sde_gpu", "scheduler": "karras",
                             "resolution": "(64, 72)", "guidance_scale": 3.0, "sharpness": 2.0,
                             "version": "Fooocus v2.5.5"})json"},
                        {"fooocus_scheme", "fooocus"}});
  CHECK_THAT(fooocus.make(),
             ContainsSubstring("a hat\nSteps: 2, Sampler: DPM++ 2M SDE, Schedule type: Karras, CFG "
                               "scale: 3, Seed: 5, Size: 64x72"));
  CHECK_THAT(fooocus.said(),
             ContainsSubstring("x.png: not taken over from the picture: Sharpness"));
  ForeignPlace swarm(Texts{{"parameters",
                            R"({"sui_image_params": {"prompt": "a hat", "negativeprompt": "red",
                                "seed": 5, "steps": 2, "cfgscale": 3, "width": 64, "height": 72,
                                "sampler": "euler", "scheduler": "normal"}})"}});
  CHECK_THAT(swarm.make(),
             ContainsSubstring("a hat\nNegative prompt: red\nSteps: 2, Sampler: Euler, Schedule "
                               "type: Normal, CFG scale: 3, Seed: 5, Size: 64x72"));
  const ForeignPlace unknown(Texts{{"parameters", R"({"caption": "a hat"})"}});
  CHECK_THAT(unknown.refuse(65), ContainsSubstring("--from-image x.png: it says how it was made in "
                                                   "JSON, in the way of a program that is not"));
}

TEST_CASE("foreign pictures: ComfyUI's are read where they are plain, else they are called so") {
  const std::string graph =
      R"({"3": {"inputs": {"seed": 7, "steps": 2, "cfg": 3.0, "sampler_name": "euler_ancestral",
          "scheduler": "ddim_uniform", "positive": ["6", 0], "negative": ["7", 0],
          "latent_image": ["5", 0]}, "class_type": "KSampler"},
          "5": {"inputs": {"width": 64, "height": 72}, "class_type": "EmptyLatentImage"},
          "6": {"inputs": {"text": "a hat"}, "class_type": "CLIPTextEncode"},
          "7": {"inputs": {"text": "red"}, "class_type": "CLIPTextEncode"}})";
  ForeignPlace plain({{"prompt", graph}, {"workflow", R"({"nodes": []})"}});
  CHECK_THAT(plain.make(),
             ContainsSubstring("a hat\nNegative prompt: red\nSteps: 2, Sampler: Euler a, Schedule "
                               "type: DDIM, CFG scale: 3, Seed: 7, Size: 64x72"));
  CHECK_THAT(ForeignPlace(Texts{{"workflow", R"({"nodes": []})"}}).refuse(65),
             ContainsSubstring("in ComfyUI's way, which cannot be read here"));
  CHECK_THAT(ForeignPlace(Texts{{"prompt", graph.substr(0, 200) + "}"}}).refuse(65),
             ContainsSubstring("ComfyUI's way") && ContainsSubstring("damaged"));
  std::string styled = graph;
  styled.replace(styled.find("\"CLIPTextEncode\""), 16, "\"Styler\"");
  ForeignPlace partly(Texts{{"prompt", styled}});
  CHECK_THAT(partly.refuse(65), ContainsSubstring("comes from a node \"Styler\"; type a prompt"));
  CHECK_THAT(partly.make({"a cat"}), ContainsSubstring("a cat\nNegative prompt: red\nSteps: 2, "
                                                       "Sampler: Euler a"));
}

TEST_CASE("foreign pictures: InvokeAI's, NovelAI's and Easy Diffusion's") {
  ForeignPlace invoke(Texts{
      {"invokeai_metadata", R"({"positive_prompt": "a hat", "negative_prompt": "red", "seed": 5,
        "width": 64, "height": 72, "cfg_scale": 3, "steps": 2, "scheduler": "dpmpp_2m_k"})"}});
  CHECK_THAT(invoke.make(),
             ContainsSubstring("a hat\nNegative prompt: red\nSteps: 2, Sampler: DPM++ 2M, Schedule "
                               "type: Karras, CFG scale: 3, Seed: 5, Size: 64x72"));
  ForeignPlace dream(Texts{{"Dream", "\"a hat [red]\" -s 2 -S 5 -W 64 -H 72 -C 3.0 -A k_euler_a"}});
  CHECK_THAT(dream.make(),
             ContainsSubstring("a hat\nNegative prompt: red\nSteps: 2, Sampler: Euler a, CFG "
                               "scale: 3, Seed: 5, Size: 64x72"));
  ForeignPlace novel({{"Software", "NovelAI"},
                      {"Comment", R"({"prompt": "a hat", "uc": "red", "seed": 5, "width": 64,
                        "height": 72, "scale": 3, "steps": 2, "sampler": "k_euler"})"}});
  CHECK_THAT(novel.make(),
             ContainsSubstring("a hat\nNegative prompt: red\nSteps: 2, Sampler: Euler, CFG "
                               "scale: 3, Seed: 5, Size: 64x72"));
  ForeignPlace easy({{"prompt", "a hat"},
                     {"negative_prompt", "red"},
                     {"seed", "5"},
                     {"num_inference_steps", "2"},
                     {"guidance_scale", "3.0"},
                     {"width", "64"},
                     {"height", "72"},
                     {"sampler_name", "euler_a"}});
  CHECK_THAT(easy.make(),
             ContainsSubstring("a hat\nNegative prompt: red\nSteps: 2, Sampler: Euler a, CFG "
                               "scale: 3, Seed: 5, Size: 64x72"));
}

TEST_CASE("foreign pictures: a text that is hidden in the transparency is spoken of") {
  const ForeignPlace place;
  CHECK_THAT(place.refuse(65),
             ContainsSubstring("x.png: the picture doesn't say how it was made\n"));
  sdx::write_file_atomically(place.place().path() / "x.png", sdx::test::stealth_png());
  CHECK_THAT(place.refuse(65), ContainsSubstring("a text hidden in its transparency"));
}

TEST_CASE("foreign pictures: UTF-8 where Latin-1 belongs is read as what it is") {
  const Workplace place;
  const std::string latin = sdx::test::png_bytes(
      sdx::Image(16, 16),
      sdx::test::png_chunk(
          "tEXt", std::string("parameters\0", 11) + "für 猫\nSteps: 2, Seed: 5, Size: 64x64"));
  sdx::write_file_atomically(place.path() / "x.png", latin);
  REQUIRE(place.run("sdx-generate", {"--from-image", "x.png", "--out", "made"}).exit_code == 0);
  const std::string made = fs::directory_iterator(place.path() / "made")->path();
  // Read as Latin-1 it would be written as tEXt again.
  CHECK_THAT(sdx::test::read_bytes(made), ContainsSubstring("iTXtparameters"));
  CHECK_THAT(sdx::read_parameters(made).value(), ContainsSubstring("für 猫\nSteps: 2"));
}

TEST_CASE("foreign pictures: an empty prompt replays, AUTOMATIC1111's too") {
  for (const std::string start : {"\n", ""}) {
    ForeignPlace place(start +
                       "Negative prompt: blurry\nSteps: 2, Sampler: Euler a, CFG scale: 2, "
                       "Seed: 5, Size: 64x64");
    CHECK_THAT(place.make({"--cfg", "3"}),
               Catch::Matchers::StartsWith("\nNegative prompt: blurry\nSteps: 2, Sampler: Euler a, "
                                           "CFG scale: 3, Seed: 5"));
  }
}

TEST_CASE("foreign pictures: what is not taken over is listed in one line") {
  ForeignPlace place(
      "a <lora:x:0.8> hat\nSteps: 2, Seed: 5, Size: 64x64, ADetailer model: face, ADetailer "
      "prompt: "
      "\"a, b\", ControlNet 0: c, Refiner: r, Model: m, Version: v1");
  CHECK_THAT(place.make(), Catch::Matchers::StartsWith("a  hat\nSteps: 2"));
  CHECK_THAT(place.said(), ContainsSubstring("made with the LoRA \"x\", which is not here"));
  CHECK_THAT(place.said(),
             ContainsSubstring("x.png: not taken over from the picture: ADetailer, ControlNet, "
                               "Refiner\n"));
}

TEST_CASE("foreign pictures: a usual strength alone is no other picture") {
  ForeignPlace api(made_with("Seed: 5, Denoising strength: 0.7"));
  api.make();
  CHECK_THAT(api.said(), !ContainsSubstring("another picture"));
  ForeignPlace hires(
      "robot\nSteps: 1, Seed: 5, Size: 64x64, Denoising strength: 0.7, Hires resize: "
      "128x128");
  CHECK_THAT(hires.make(),
             ContainsSubstring("Denoising strength: 0.7") && ContainsSubstring("Hires upscale: 2"));
  CHECK_THAT(hires.said(), !ContainsSubstring("another picture"));
  ForeignPlace other(made_with("Seed: 5, Denoising strength: 0.4"));
  other.make();
  CHECK_THAT(other.said(), ContainsSubstring("was made from another picture"));
}

TEST_CASE("foreign pictures: embeddings that stood bare in the prompt get a remark") {
  ForeignPlace place(
      "portrait of Ada, by Ben\nSteps: 2, Seed: 5, Size: 64x64, TI hashes: \"Ada: 0123, Ben: 45\"");
  REQUIRE(place.place().train("Ada", {"--milestone-steps", "0"}).exit_code == 0);
  CHECK_THAT(place.make(), ContainsSubstring("portrait of Ada, by Ben\n"));
  CHECK_THAT(place.said(),
             ContainsSubstring("the embedding \"Ada\", whose name stands in its prompt "
                               "without < >") &&
                 ContainsSubstring("--bare-names") &&
                 ContainsSubstring("the embedding \"Ben\", which is not known here"));
  CHECK_THAT(place.make({"--bare-names"}), ContainsSubstring("portrait of <Ada>, by Ben\n"));
  CHECK_THAT(place.said(), !ContainsSubstring("\"Ada\""));
}

TEST_CASE("prompt lines: AUTOMATIC1111's -1 is any seed, and names of ours are understood") {
  const Workplace place;
  sdx::write_file_atomically(
      place.path() / "p.txt",
      "--prompt \"robot, it’s\" --steps 2 --cfg_scale 2 --sampler_name \"Euler a\" --width 64 "
      "--height 64 --seed -1 --subseed 4 --subseed_strength 0.5 --tiling true --batch_size 1 "
      "--restore_faces False --do_not_save_grid\n"
      "--prompt \"\" --steps 2 --seed -1 --tiling false\n"
      "--prompt \"\" --steps 2 --seed -1 --tiling false\n");
  const RunResult result = place.run("sdx-generate", {"--prompts", "p.txt", "--out", "made"});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  std::vector<std::string> texts;
  for (const auto& entry : fs::directory_iterator(place.path() / "made")) {
    texts.push_back(sdx::read_parameters(entry.path()).value());
  }
  std::sort(texts.begin(), texts.end());
  REQUIRE(texts.size() == 3);
  CHECK(texts[0] != texts[1]);
  CHECK_THAT(texts[2], Catch::Matchers::StartsWith("robot, it’s\nSteps: 2, Sampler: Euler a,") &&
                           ContainsSubstring("Variation seed: 4, Variation seed strength: 0.5") &&
                           ContainsSubstring("Tiling: True"));
}

TEST_CASE("prompt lines: AUTOMATIC1111's names that we lack have a sentence each") {
  const Workplace place;
  for (const auto& [words, sentence] : std::vector<std::pair<std::string, std::string>>{
           {"--restore_faces true", "--refine-faces goes over small faces"},
           {"--restore_faces", "--refine-faces goes over small faces"},
           {"--batch_size 4", "--count N makes N pictures"},
           {"--n_iter 2", "--count N makes N pictures"},
           {"--outpath_samples C:\\x", "one folder: --out FOLDER"},
           {"--do_not_save_samples true", "every picture is written"},
           {"--sd_model x.ckpt", "--model NAME"},
           {"--styles \"oil\"", "--style"}}) {
    INFO(words);
    sdx::write_file_atomically(place.path() / "p.txt", "--prompt x --steps 2 " + words + "\n");
    const RunResult result = place.run("sdx-generate", {"--prompts", "p.txt", "--out", "made"});
    CHECK(result.exit_code == 64);
    CHECK_THAT(result.err, ContainsSubstring("p.txt:1: ") && ContainsSubstring(sentence) &&
                               !ContainsSubstring("nearest"));
    CHECK_FALSE(fs::exists(place.path() / "made"));
  }
}
