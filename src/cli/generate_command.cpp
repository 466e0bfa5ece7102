#include <cmath>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <random>

#include <ATen/ops/cat.h>

#include "sdx/cli/options.h"
#include "sdx/cli/progress.h"
#include "sdx/cli/tool.h"
#include "sdx/generation/generator.h"
#include "sdx/generation/infotext.h"
#include "sdx/image/contact_sheet.h"
#include "sdx/image/png.h"
#include "sdx/prompt/prompt.h"
#include "sdx/prompt/prompt_list.h"
#include "sdx/tensor/safetensors.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "sdx/util/stop.h"
#include "sdx/util/text.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

struct GenerateOptions {
  std::vector<std::string> prompts;
  std::string prompt_file;
  std::string names;
  std::string negative;
  int count = 1;  ///< pictures of each prompt
  std::optional<std::uint64_t> seed;
  std::optional<double> guidance_scale;
  GenerationOptions generation;
  std::vector<std::string> embeddings = {"embeddings"};
  std::string out = "pictures";
  bool grid = false;
  std::string latents_in;
  std::string latents_out;
};

void parse_size(const std::string& text, GenerationOptions& options) {
  if (text == "auto") return;
  int width_px = 0;
  int height_px = 0;
  char rest = 0;
  const int fields = std::sscanf(text.c_str(), "%dx%d%c", &width_px, &height_px, &rest);
  if (fields != 2 || width_px < 1 || height_px < 1) {
    throw UsageError("--size: expected WIDTHxHEIGHT, for example 512x512; found \"" + text + "\"");
  }
  options.width_px = width_px;
  options.height_px = height_px;
}

std::optional<std::uint64_t> parse_seed(const std::string& text) {
  if (text == "random") return std::nullopt;
  std::uint64_t seed = 0;
  // CLI11 takes "-1" for the largest number.
  if (text.front() != '-' && CLI::detail::lexical_cast(text, seed)) return seed;
  throw UsageError(
      "--seed: expected random or a whole number from 0 to 18446744073709551615, found \"" + text +
      "\"");
}

std::optional<double> parse_guidance_scale(const std::string& text) {
  if (text == "auto") return std::nullopt;
  double scale = 0;
  if (CLI::detail::lexical_cast(text, scale) && std::isfinite(scale)) return scale;
  throw UsageError("--cfg: expected auto or a number, for example 7; found \"" + text + "\"");
}

std::uint64_t any_seed() {
  std::random_device source;
  return source();  // 32 bits: short enough to type again
}

std::vector<ImageRequest> make_requests(const GenerateOptions& options) {
  std::vector<std::string> prompts = options.prompts;
  if (!options.prompt_file.empty()) {
    for (std::string& prompt : read_prompt_file(options.prompt_file)) {
      prompts.push_back(std::move(prompt));
    }
  }
  if (prompts.empty()) {
    throw UsageError("expected a prompt or --prompts FILE; see sdx-generate --help");
  }
  const std::uint64_t seed = options.seed.value_or(any_seed());
  std::vector<ImageRequest> requests;
  for (const std::string& prompt : fill_names(prompts, split_list(options.names, ','))) {
    for (int i = 0; i < options.count; ++i) {
      requests.push_back({prompt, options.negative, seed + static_cast<std::uint64_t>(i)});
    }
  }
  return requests;
}

/// One more than the highest number that a file in the folder begins with, so that nothing is
/// overwritten and pictures stay in the order in which they were made.
int first_free_number(const fs::path& folder) {
  int highest = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    int number = 0;
    if (std::sscanf(entry.path().filename().c_str(), "%d", &number) == 1) {
      highest = std::max(highest, number);
    }
  }
  return highest + 1;
}

std::string number_text(int number) {
  char text[16];
  std::snprintf(text, sizeof text, "%04d", number);
  return text;
}

std::optional<at::Tensor> read_latents(const std::string& file) {
  if (file.empty()) return std::nullopt;
  const Safetensors content = map_safetensors(file);
  const auto found = content.tensors.find("latents");
  if (found == content.tensors.end()) {
    throw DataError(file + ": expected a tensor \"latents\" [B,4,h,w]");
  }
  return found->second.to(at::kFloat);
}

}  // namespace

void generate_command(int argc, char** argv) {
  GenerateOptions options;
  CommonOptions common;
  GenerationOptions& generation = options.generation;
  OptionTable table("sdx-generate",
                    "Make pictures from prompts; <Name> stands for a learnt person.",
                    "  sdx-generate \"<Johannes> riding a unicorn, digital art\" -n 4 --seed 7\n"
                    "  sdx-generate --prompts prompts.txt --names Johannes,Markus --grid\n");
  table.add("Input", "prompt", options.prompts, "Prompts");
  table.add("Input", "--prompts", options.prompt_file, "File with a prompt on each line");
  table.add("Input", "--names", options.names, "Comma-separated names, for {name} in prompts");
  table.add("Input", "--negative", options.negative, "What should not be seen");
  table.add("Input", "--embeddings", options.embeddings,
            "Folders or files in which <Name> is looked up");
  table.add("Picture", "-n,--count", options.count, "Pictures of each prompt, seed + 0, 1, …")
      ->check(CLI::PositiveNumber);
  table.add("Picture", "--steps", generation.steps, "Evaluations of the model")
      ->check(CLI::PositiveNumber);
  table.add_parsed(
      "Picture", "--cfg", "auto",
      [&](const std::string& text) { options.guidance_scale = parse_guidance_scale(text); },
      "Guidance scale: how strictly the prompt is followed; 1 switches guidance off; auto: what "
      "the "
      "model advises");
  table.add_parsed(
      "Picture", "--seed", "random",
      [&](const std::string& text) { options.seed = parse_seed(text); }, "Of the starting noise");
  table.add_parsed(
      "Picture", "--sampler", std::string(to_string(generation.sampler)),
      [&](const std::string& text) { generation.sampler = parse_sampler(text); },
      "dpmpp_2m, euler_a, dpmpp_sde, dpmpp_2m_sde, euler, ddim, unipc, lcm, pndm, heun, lms, dpm2, "
      "dpm2_a, dpmpp_2s_a, dpmpp_3m_sde or ddpm");
  table.add_parsed(
      "Picture", "--size", "auto", [&](const std::string& text) { parse_size(text, generation); },
      "WIDTHxHEIGHT in pixels, divisible by 8; auto: the model's native size");
  table.add("Picture", "--latents", options.latents_in,
            "Start from these latents (safetensors, \"latents\" [B,4,h,w]) instead of noise");
  table.add("Output", "--out", options.out, "Folder for the pictures");
  table.add_flag("Output", "--grid", options.grid, "Also write a labelled contact sheet");
  table.add("Output", "--save-latents", options.latents_out,
            "Write the final latents (safetensors) to this file");
  add_common_options(table, common);
  table.parse(argc, argv);

  set_compute_threads(common.threads);
  const ComputeTarget target = choose_target(common.device);
  const std::vector<ImageRequest> requests = make_requests(options);
  prepare_output_folder(options.out);
  const Bundle bundle = open_model(common);
  generation.guidance_scale = options.guidance_scale.value_or(bundle.info().guidance_scale);
  EmbeddingTable embeddings;
  for (const std::string& place : options.embeddings) embeddings.add_from(place);
  const std::optional<at::Tensor> initial_latents = read_latents(options.latents_in);
  const Generator generator(bundle, target);
  generator.check(requests, generation, embeddings);

  const int first_number = first_free_number(options.out);
  const auto batches = (requests.size() + static_cast<std::size_t>(generation.batch_size) - 1) /
                       static_cast<std::size_t>(generation.batch_size);
  ProgressBar bar("Generating", static_cast<int>(batches) * generation.steps, common.quiet);
  std::vector<SheetCell> cells;
  std::vector<at::Tensor> final_latents;
  std::vector<Json> written;
  const auto consume = [&](std::size_t index, const GeneratedImage& generated) {
    const ImageRequest& request = requests[index];
    const fs::path file = fs::path(options.out) /
                          (number_text(first_number + static_cast<int>(index)) + "-" +
                           std::to_string(request.seed) + "-" + slug(request.prompt) + ".png");
    write_png(file, generated.image,
              {{"parameters", infotext(request, generation, bundle, version_text())}});
    written.push_back(
        {{"picture", file.string()}, {"prompt", request.prompt}, {"seed", request.seed}});
    if (options.grid) cells.push_back({generated.image, request.prompt});
    if (!options.latents_out.empty()) final_latents.push_back(generated.latents);
  };
  const auto observe = [&](int done, int total) {
    bar.update(done, std::to_string(written.size()) + " of " + std::to_string(requests.size()) +
                         " pictures");
    if (const int signal = stop_signal(); signal != 0 && done < total) {
      throw Error(static_cast<ExitCode>(128 + signal),
                  "stopped; " + std::to_string(written.size()) + " of " +
                      std::to_string(requests.size()) + " pictures are in " + options.out);
    }
  };
  generator.generate(requests, generation, embeddings, consume, observe, initial_latents);

  for (const Json& line : written) {
    say_json(common, line);
    if (!common.json) std::puts(line["picture"].get<std::string>().c_str());
  }
  if (!options.latents_out.empty()) {
    write_safetensors(options.latents_out, {{"latents", at::cat(final_latents)}});
  }
  if (options.grid) {
    const fs::path file = fs::path(options.out) / (number_text(first_number) + "-grid.png");
    write_png(file, contact_sheet(cells));
    say_json(common, {{"grid", file.string()}});
    if (!common.json) std::puts(file.c_str());
  }
}

}  // namespace sdx
