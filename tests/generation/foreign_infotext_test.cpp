#include "sdx/generation/foreign_infotext.h"

#include <algorithm>

#include "sdx/generation/infotext.h"
#include "sdx/util/error.h"
#include "support/throws.h"

#include "support/catch.h"

using sdx::test::contains;

namespace sdx {

namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;
using Texts = std::map<std::string, std::string>;

ImageOrigin read(const Texts& texts) { return find_image_origin(texts).value(); }

/// The fields, sorted: their order means nothing.
Fields sorted_fields(const ImageOrigin& origin) {
  Fields fields = origin.infotext.fields;
  std::sort(fields.begin(), fields.end());
  return fields;
}

std::string refusal(const Texts& texts) {
  return test::catch_message<DataError>([&] { find_image_origin(texts); });
}

std::string comfy(const std::string& more_inputs, const std::string& more_nodes) {
  return R"({"3": {"class_type": "KSampler", "inputs": {"seed": 18446744073709551615, "steps": 4,
      "cfg": 8.0, "sampler_name": "dpmpp_2m_sde_gpu", "scheduler": "karras", "denoise": 1.0,
      "positive": ["6", 0], "negative": ["7", 0])" +
         more_inputs + R"(}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a robot", "clip": ["4", 1]}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "blurry"}})" +
         more_nodes + "}";
}

}  // namespace

TEST_CASE("foreign infotext: what AUTOMATIC1111 writes is read as before") {
  const ImageOrigin origin =
      read({{"parameters", "a\nNegative prompt: b\nSteps: 4, Seed: 1, Size: 8x8"}});
  CHECK(origin.program.empty());
  CHECK(origin.infotext == Infotext{"a", "b", {{"Steps", "4"}, {"Seed", "1"}, {"Size", "8x8"}}});
  // An empty prompt, with and without the line break that some programs cut off.
  for (const char* text : {"\nNegative prompt: b\nSteps: 4, Seed: 1, Size: 8x8",
                           "Negative prompt: b\nSteps: 4, Seed: 1, Size: 8x8"}) {
    CHECK(read({{"parameters", text}}).infotext.prompt.empty());
    CHECK(read({{"parameters", text}}).infotext.negative_prompt == "b");
  }
  CHECK(read({{"parameters", "Steps: 4, Seed: 1, Size: 8x8"}}).infotext.prompt.empty());
  // A prompt with a choice in it is no JSON.
  CHECK(read({{"parameters", "{red|blue} hat"}}).infotext.prompt == "{red|blue} hat");
  // It comes before a graph beside it.
  CHECK(read({{"parameters", "a"}, {"prompt", comfy("", "")}}).infotext.prompt == "a");
  CHECK_FALSE(find_image_origin({}));
  CHECK_FALSE(find_image_origin({{"Title", "x"}, {"parameters", ""}}));
}

TEST_CASE("foreign infotext: ComfyUI's graph, where it is plain") {
  const ImageOrigin origin = read(
      {{"prompt",
        comfy(R"(, "latent_image": ["5", 0], "model": ["10", 0])",
              R"(, "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 512, "height": 768}},
      "10": {"class_type": "LoraLoader", "inputs": {"model": ["4", 0], "lora_name": "x"}},
      "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "m"}, "is_changed": [NaN]})")},
       {"workflow", "{\"nodes\": []}"}});
  CHECK(origin.program == "ComfyUI");
  CHECK(origin.prompt_fault.empty());
  CHECK(origin.infotext.prompt == "a robot");
  CHECK(origin.infotext.negative_prompt == "blurry");
  CHECK(sorted_fields(origin) == Fields{{"CFG scale", "8"},
                                        {"LoRA", "True"},
                                        {"Sampler", "dpmpp_2m_sde_gpu"},
                                        {"Schedule type", "karras"},
                                        {"Seed", "18446744073709551615"},
                                        {"Size", "512x768"},
                                        {"Steps", "4"}});
}

TEST_CASE("foreign infotext: values of ComfyUI may come from nodes that hold them") {
  const ImageOrigin origin = read({{"prompt", R"({
    "1": {"class_type": "KSamplerAdvanced", "inputs": {"noise_seed": ["2", 0], "steps": 9,
      "start_at_step": 0, "end_at_step": 10000, "cfg": ["9", 0],
      "positive": ["3", 0], "latent_image": ["8", 0]}},
    "2": {"class_type": "PrimitiveInt", "inputs": {"value": 77}},
    "3": {"class_type": "ControlNetApply", "inputs": {"conditioning": ["4", 0]}},
    "4": {"class_type": "CLIPTextEncode", "inputs": {"text": ["5", 0], "clip": ["6", 0]}},
    "5": {"class_type": "PrimitiveString", "inputs": {"value": "snow"}},
    "6": {"class_type": "CLIPSetLastLayer", "inputs": {"stop_at_clip_layer": -2}},
    "8": {"class_type": "VAEEncode", "inputs": {"pixels": ["7", 0]}},
    "9": {"class_type": "Odd", "inputs": {}}})"}});
  CHECK(origin.infotext.prompt == "snow");
  CHECK(sorted_fields(origin) == Fields{{"CFG scale from another node", "True"},
                                        {"Clip skip", "2"},
                                        {"ControlNet", "True"},
                                        {"Init image", "True"},
                                        {"Seed", "77"},
                                        {"Steps", "9"}});
  CHECK(was_made_from_image(origin.infotext));
  CHECK(list_not_taken_over(origin.infotext) ==
        std::vector<std::string>{"CFG scale from another node", "ControlNet"});
}

TEST_CASE("foreign infotext: a part of empty latents' noise is no strength") {
  const ImageOrigin origin = read(
      {{"prompt",
        R"({"1": {"class_type": "KSampler", "inputs": {"denoise": 0.8, "latent_image": ["2", 0]}},
          "2": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64}}})"}});
  CHECK_FALSE(was_made_from_image(origin.infotext));
  CHECK(list_not_taken_over(origin.infotext) == std::vector<std::string>{"denoise"});
}

TEST_CASE("foreign infotext: ComfyUI's graphs that are not plain") {
  CHECK(contains(
      refusal({{"prompt", comfy("", R"(, "8": {"class_type": "KSampler", "inputs": {}})")}}),
      "in ComfyUI's way, which cannot be read here: its graph has 2 KSamplers"));
  CHECK(contains(refusal({{"prompt", R"({"1": {"class_type": "SamplerCustom"}})"}}),
                 "no node \"KSampler\""));
  CHECK(contains(refusal({{"workflow", R"({"nodes": []})"}}), "workflow without the values"));
  CHECK(contains(refusal({{"prompt", comfy("", "").substr(0, 300)}}), "its JSON is damaged"));
  // The settings are there, the prompt is not.
  std::string graph = comfy("", "");
  graph.replace(graph.find("CLIPTextEncode"), 14, "PromptStyler");
  const ImageOrigin styled = read({{"prompt", graph}});
  CHECK(styled.prompt_fault == "its positive prompt comes from a node \"PromptStyler\"");
  CHECK(styled.infotext.field("Steps") == "4");
  // A circle ends.
  CHECK_FALSE(read({{"prompt", R"({"1": {"class_type": "KSampler", "inputs": {"positive": ["2", 0],
      "model": ["3", 0]}},
      "2": {"class_type": "ControlNetApply", "inputs": {"conditioning": ["2", 0]}},
      "3": {"class_type": "LoraLoader", "inputs": {"model": ["3", 0]}}})"}})
                  .prompt_fault.empty());
}

TEST_CASE("foreign infotext: Fooocus' and SwarmUI's JSON is no prompt") {
  const ImageOrigin fooocus =
      read({{"parameters", R"json({"prompt": "robot", "negative_prompt": "blurry", "steps": 30,
             "seed": "5", "sampler": "dpmpp_2m_sde_gpu", "scheduler": "karras",
             "guidance_scale": 4.0, "resolution": "(896, 1152)", "styles": "['Fooocus V2']",
             "loras": [], "refiner_model": "None", "sharpness": 2.0,
             "version": "Fooocus v2.5.5"})json"},
            {"fooocus_scheme", "fooocus"}});
  CHECK(fooocus.program == "Fooocus");
  CHECK(fooocus.infotext.prompt == "robot");
  CHECK(fooocus.infotext.negative_prompt == "blurry");
  CHECK(sorted_fields(fooocus) == Fields{{"CFG scale", "4"},
                                         {"Sampler", "dpmpp_2m_sde_gpu"},
                                         {"Schedule type", "karras"},
                                         {"Seed", "5"},
                                         {"Sharpness", "True"},
                                         {"Size", "896x1152"},
                                         {"Steps", "30"},
                                         {"styles of Fooocus", "True"}});
  // Its other scheme is AUTOMATIC1111's.
  CHECK(read({{"parameters", "robot\nSteps: 4, Seed: 1, Size: 8x8"}, {"fooocus_scheme", "a1111"}})
            .infotext.prompt == "robot");

  const ImageOrigin swarm =
      read({{"parameters", R"({"sui_image_params": {"prompt": "a <embed:Ada> <lora:x:0.5> hat",
             "negativeprompt": "bad", "model": "m", "seed": 7, "steps": 25, "cfgscale": 1.5,
             "width": 512, "height": 768, "sampler": "euler", "scheduler": "normal",
             "clipstopatlayer": -2, "initimagecreativity": 0.6, "swarm_version": "0.9"}})"}});
  CHECK(swarm.program == "SwarmUI");
  CHECK(swarm.infotext.prompt == "a <Ada>  hat");
  CHECK(swarm.infotext.negative_prompt == "bad");
  CHECK(sorted_fields(swarm) == Fields{{"CFG scale", "1.5"},
                                       {"Clip skip", "2"},
                                       {"Init image", "True"},
                                       {"LoRA", "True"},
                                       {"Sampler", "euler"},
                                       {"Schedule type", "normal"},
                                       {"Seed", "7"},
                                       {"Size", "512x768"},
                                       {"Steps", "25"}});
  // A fork of Fooocus names settings in its own way.
  const ImageOrigin fork =
      read({{"parameters", R"({"Prompt": "robot", "Negative": "red", "steps": 30, "cfg": 8.5,
             "width": 896, "height": 1152, "seed": 5, "sampler_name": "dpmpp_2m_sde_gpu",
             "scheduler": "karras", "software": "RuinedFooocus"})"}});
  CHECK(fork.infotext == Infotext{"robot",
                                  "red",
                                  {{"Steps", "30"},
                                   {"Sampler", "dpmpp_2m_sde_gpu"},
                                   {"Schedule type", "karras"},
                                   {"CFG scale", "8.5"},
                                   {"Seed", "5"},
                                   {"Size", "896x1152"}}});
  // A prompt that is none is not the empty one.
  for (const char* none :
       {R"({"sui_image_params": {"prompt": 5}})", R"({"sui_image_params": {}})"}) {
    CHECK(read({{"parameters", none}}).prompt_fault == "it states no prompt");
  }
  for (const char* cut : {"{", " {\n", R"({"prompt": "a ro)", R"([{"prompt": "x"}])"}) {
    INFO(cut);
    CHECK(contains(refusal({{"parameters", cut}, {"fooocus_scheme", "fooocus"}}),
                   "in Fooocus's way, which cannot be read here: its JSON is damaged"));
    CHECK(contains(refusal({{"parameters", cut}}), "not known here"));
  }
  CHECK(read({{"parameters", "[{red|blue}:hat:4]"}}).infotext.prompt == "[{red|blue}:hat:4]");
  CHECK(contains(refusal({{"parameters", R"({"what": "ever"})"}}), "not known here"));
  CHECK(contains(refusal({{"parameters", R"({"sui_image_params": 3})"}}), "SwarmUI's way"));
  CHECK(contains(refusal({{"parameters", R"({"sui_image_params": {"a)"}}), "damaged"));
}

TEST_CASE("foreign infotext: InvokeAI's three ways") {
  const ImageOrigin now =
      read({{"invokeai_metadata", R"({"generation_mode": "txt2img", "positive_prompt": "snow",
        "negative_prompt": "rain", "width": 768, "height": 432, "seed": 356120443,
        "cfg_scale": 7.5, "cfg_rescale_multiplier": 0, "steps": 50, "scheduler": "dpmpp_2m_sde_k",
        "clip_skip": 1, "loras": [{"lora": "x"}], "controlnets": []})"}});
  CHECK(now.program == "InvokeAI");
  CHECK(now.infotext.prompt == "snow");
  CHECK(now.infotext.negative_prompt == "rain");
  CHECK(sorted_fields(now) == Fields{{"CFG Rescale", "0"},
                                     {"CFG scale", "7.5"},
                                     {"Clip skip", "2"},
                                     {"LoRA", "True"},
                                     {"Sampler", "dpmpp_2m_sde_k"},
                                     {"Seed", "356120443"},
                                     {"Size", "768x432"},
                                     {"Steps", "50"}});
  const ImageOrigin older =
      read({{"Dream", "not looked at"},
            {"sd-metadata", R"({"model_weights": "m", "image": {"prompt": [{"prompt":
        "a robot [blurry] in snow [bad]", "weight": 1.0}], "steps": 30, "cfg_scale": 7.5,
        "seed": 42, "width": 512, "height": 512, "sampler": "k_lms", "type": "img2img",
        "strength": 0.6}})"}});
  CHECK(older.infotext.prompt == "a robot  in snow");
  CHECK(older.infotext.negative_prompt == "blurry, bad");
  CHECK(older.infotext.field("Sampler") == "k_lms");
  CHECK(older.infotext.field("Denoising strength") == "0.6");
  CHECK(was_made_from_image(older.infotext));
  const ImageOrigin oldest = read(
      {{"Dream", "\"a \"robot\" [blurry]\" -s 50 -S42 -W 512 -H 768 -C 7.5 -A k_euler_a -G 0.8"}});
  CHECK(oldest.infotext.prompt == "a \"robot\"");
  CHECK(oldest.infotext.negative_prompt == "blurry");
  CHECK(sorted_fields(oldest) == Fields{{"CFG scale", "7.5"},
                                        {"Sampler", "k_euler_a"},
                                        {"Seed", "42"},
                                        {"Size", "512x768"},
                                        {"Steps", "50"},
                                        {"face restoration", "True"}});
  CHECK(contains(refusal({{"invokeai_workflow", "{}"}}), "InvokeAI's way"));
  CHECK(contains(refusal({{"sd-metadata", "[1]"}}), "damaged"));
  CHECK(contains(refusal({{"Dream", "robot"}}), "no prompt in quotes"));
}

TEST_CASE("foreign infotext: NovelAI and Easy Diffusion") {
  const ImageOrigin novel =
      read({{"Software", "NovelAI"},
            {"Description", "{robot}, snow"},
            {"Comment", R"({"steps": 28, "height": 1216, "width": 832, "scale": 5.0, "seed": 9,
        "noise_schedule": "native", "sampler": "k_euler_ancestral", "sm": true, "uc": "bad"})"}});
  CHECK(novel.program == "NovelAI");
  CHECK(novel.infotext.prompt == "{robot}, snow");
  CHECK(novel.infotext.negative_prompt == "bad");
  CHECK(sorted_fields(novel) == Fields{{"CFG scale", "5"},
                                       {"SMEA", "True"},
                                       {"Sampler", "k_euler_ancestral"},
                                       {"Schedule type", "native"},
                                       {"Seed", "9"},
                                       {"Size", "832x1216"},
                                       {"Steps", "28"},
                                       {"weights in { }", "True"}});
  // A WebP's one text holds the others.
  CHECK(read({{"parameters",
               R"({"Software": "NovelAI", "Comment": "{\"prompt\": \"x\", \"uc\": \"\"}"})"}})
            .infotext.prompt == "x");
  CHECK(contains(refusal({{"Software", "NovelAI"}}), "NovelAI's way"));

  const Fields expected{{"CFG scale", "7.5"},   {"Clip skip", "2"}, {"LoRA", "True"},
                        {"Sampler", "euler_a"}, {"Seed", "3"},      {"Size", "512x640"},
                        {"Steps", "25"}};
  const ImageOrigin chunks = read({{"prompt", "a robot"},
                                   {"negative_prompt", "bad"},
                                   {"seed", "3"},
                                   {"num_inference_steps", "25"},
                                   {"guidance_scale", "7.5"},
                                   {"width", "512"},
                                   {"height", "640"},
                                   {"sampler_name", "euler_a"},
                                   {"clip_skip", "True"},
                                   {"use_lora_model", "x"},
                                   {"use_upscale", "None"},
                                   {"use_stable_diffusion_model", "m"}});
  CHECK(chunks.program == "Easy Diffusion");
  CHECK(chunks.infotext.prompt == "a robot");
  CHECK(sorted_fields(chunks) == expected);
  const ImageOrigin json =
      read({{"parameters", R"({"prompt": "a robot", "seed": 3, "num_inference_steps": 25,
        "guidance_scale": 7.5, "width": 512, "height": 640, "sampler_name": "euler_a",
        "clip_skip": true, "use_lora_model": ["x"], "use_upscale": null})"}});
  CHECK(json.program == "Easy Diffusion");
  CHECK(sorted_fields(json) == expected);
  CHECK(read({{"Prompt", "a"}, {"Stable Diffusion model", "m"}, {"Guidance Scale", "4"}})
            .infotext.field("CFG scale") == "4");
}

TEST_CASE("foreign infotext: JSON is bounded") {
  const std::string deep =
      R"({"sui_image_params": )" + std::string(200000, '[') + std::string(200000, ']') + "}";
  CHECK(contains(refusal({{"parameters", deep}}), "100 levels"));
  const std::string large = R"({"sui_image_params": ")" + std::string(17 << 20, 'x') + "\"}";
  CHECK(contains(refusal({{"parameters", large}}), "16 MiB"));
  std::string keys = R"({"sui_image_params": {"prompt": "x")";
  for (int i = 0; i < 200000; ++i) keys += ", \"k" + std::to_string(i) + "\": 0";
  CHECK(read({{"parameters", keys + "}}"}}).infotext.prompt == "x");
  CHECK(contains(refusal({{"parameters", R"({"sui_image_params": {"seed": 1e999}})"}}), "damaged"));
}

TEST_CASE("foreign infotext: AUTOMATIC1111's other ways to state a second pass") {
  const auto fields = [](const std::string& line) {
    return read({{"parameters", "a\nSteps: 4, Seed: 1, " + line}}).infotext;
  };
  Infotext resized = fields("Size: 512x768, Denoising strength: 0.5, Hires resize: 1024x1536");
  CHECK(resized.field("Hires upscale") == "2");
  CHECK(resized.field("Size") == "512x768");
  CHECK_FALSE(was_made_from_image(resized));
  CHECK(list_not_taken_over(resized).empty());
  CHECK(fields("Size: 512x768, Hires resize: 768x0").field("Hires upscale") == "1.5");
  CHECK(fields("Size: 512x512, Hires resize: 1024x768").field("Hires upscale") == std::nullopt);
  CHECK(list_not_taken_over(fields("Size: 512x512, Hires resize: 1024x768")) ==
        std::vector<std::string>{"Hires resize"});
  const Infotext first =
      fields("Size: 1024x1536, Denoising strength: 0.5, First pass size: 512x768");
  CHECK(first.field("Hires upscale") == "2");
  CHECK(first.field("Size") == "512x768");
  CHECK_FALSE(was_made_from_image(first));
  const Infotext chosen = fields("Size: 1024x1024, Denoising strength: 0.7, First pass size: 0x0");
  CHECK(chosen.field("Hires upscale") == "2");
  CHECK(chosen.field("Size") == "512x512");
}

TEST_CASE("foreign infotext: what is not taken over is listed once, what says nothing is not") {
  const Infotext text =
      read({{"parameters",
             "a <lora:x:0.8> <hypernet:y:1>robot\nSteps: 4, Seed: 1, Size: 8x8, Model: m, VAE: v, "
             "ADetailer model: face, ADetailer version: 1, ControlNet 0: \"a, b\", "
             "Lora hashes: \"x: 12\", Refiner: r, RP Active: True, "
             "Dynamic thresholding enabled: True, Mimic scale: 7, "
             "Face restoration: None, Eta: 0.000, Odd thing: 3, ENSD: 31337, "
             "Hires upscaler: Latent, Version: v1.6"}})
          .infotext;
  CHECK(text.prompt == "a <lora:x:0.8> robot");
  CHECK(list_not_taken_over(text) ==
        std::vector<std::string>{"ADetailer", "ControlNet", "Refiner", "Regional Prompter",
                                 "Dynamic thresholding", "Odd thing", "Hypernetwork"});
  CHECK(list_not_taken_over({"", "", {{"Hires upscale", "2"}, {"Hires upscaler", "Latent"}}}) ==
        std::vector<std::string>{"Hires upscaler"});
  CHECK(list_not_taken_over({"", "", {{"Hires upscale", "2"}, {"Hires upscaler", "Lanczos"}}})
            .empty());
  CHECK(list_not_taken_over({"", "", {{"CFG scale", "7"}, {"Hires CFG Scale", "7"}}}).empty());
  CHECK(list_not_taken_over({"", "", {{"CFG scale", "7"}, {"Hires CFG Scale", "5"}}}) ==
        std::vector<std::string>{"Hires CFG Scale"});
  CHECK(list_not_taken_over({"", "", {{"bad\x1B", "1"}}}) == std::vector<std::string>{"\"bad?\""});
}

TEST_CASE("foreign infotext: a usual strength alone is no beginning") {
  for (const char* usual : {"0", "0.7", "0.75"}) {
    INFO(usual);
    CHECK_FALSE(was_made_from_image({"", "", {{"Denoising strength", usual}}}));
    CHECK(was_made_from_image({"", "", {{"Denoising strength", usual}, {"Mask blur", "4"}}}));
    CHECK(was_made_from_image({"", "", {{"Denoising strength", usual}, {"Version", "sdx 0.1"}}}));
  }
  CHECK(list_not_taken_over({"", "", {{"Denoising strength", "0.7"}}}) ==
        std::vector<std::string>{"Denoising strength"});
  CHECK(list_not_taken_over({"", "", {{"Denoising strength", "0"}}}).empty());
  CHECK(was_made_from_image({"", "", {{"Denoising strength", "0.4"}}}));
  CHECK_FALSE(
      was_made_from_image({"", "", {{"Denoising strength", "0.4"}, {"Hires upscale", "2"}}}));
}

TEST_CASE("foreign infotext: the embeddings that a text states") {
  CHECK(list_stated_embeddings({"", "", {{"TI hashes", "Ada: 01, By bad artist: 02, Ada: 03"}}}) ==
        std::vector<std::string>{"Ada", "By bad artist"});
  CHECK(list_stated_embeddings({"", "", {{"Used embeddings", "Ada [01], Ben [02]"}}}) ==
        std::vector<std::string>{"Ada", "Ben"});
  CHECK(list_stated_embeddings({}).empty());
}

}  // namespace sdx
