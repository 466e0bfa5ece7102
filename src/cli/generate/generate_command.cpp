#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <utility>

#include "cli/generate/generate_options.h"
#include "cli/generate/image_maker.h"
#include "cli/generate/image_part.h"
#include "cli/generate/image_writer.h"
#include "cli/generate/lora_words.h"
#include "cli/generate/source_image.h"
#include "cli/gpu_options.h"
#include "cli/gpu_team.h"
#include "cli/sampling_preset.h"
#include "sdx/cli/tool.h"
#include "sdx/generation/embedding_names.h"
#include "sdx/generation/image_jobs.h"
#include "sdx/generation/infotext.h"
#include "sdx/prompt/prompt.h"
#include "sdx/prompt/prompt_remarks.h"
#include "sdx/scheduler/sampler_names.h"
#include "sdx/util/error.h"
#include "sdx/util/text.h"

namespace sdx {

namespace {

std::string sampler_list() {
  std::string text = "  --sampler        in pictures       evaluations a step  noise on the way\n";
  for (const SamplerInfo& sampler : all_samplers()) {
    char line[200];
    std::snprintf(line, sizeof line, "  %-15s  %-16s  %-18d  %-3s  %s\n", sampler.typed.data(),
                  sampler.displayed.data(), sampler.evaluations_per_step,
                  sampler.draws_noise ? "yes" : "no", sampler.advice.data());
    text += line;
  }
  return text;
}

/// Says what a person should know of the words that the prompts use; those that were given by file
/// must be among them.
void check_embedding_names(const EmbeddingTable& embeddings, const std::vector<ImageJob>& jobs) {
  std::set<std::string> used;
  for (const ImageJob& job : jobs) {
    for (const std::string& name : list_embedding_names(job.request, embeddings)) {
      used.insert(name);
    }
  }
  for (const std::string& name : used) {
    const std::string& remark = embeddings.at(name).remark;
    if (!remark.empty()) say(placeholder(name) + ": " + remark);
  }
  embeddings.check_used({used.begin(), used.end()});
}

/// Says what a person should know of the prompts, each thing once.
void say_prompt_remarks(const EmbeddingTable& embeddings, const std::vector<ImageJob>& jobs) {
  std::set<std::pair<std::string, PromptRole>> seen;
  std::set<std::string> said;
  for (const ImageJob& job : jobs) {
    const ImageRequest& request = job.request;
    for (const auto& [text, role] : {std::pair(request.prompt, PromptRole::kPositive),
                                     std::pair(request.negative_prompt, PromptRole::kNegative)}) {
      if (!seen.emplace(text, role).second) continue;
      for (const std::string& remark :
           list_prompt_remarks(text, request.settings.grammar, role, embeddings)) {
        if (said.insert(remark).second) say(remark);
      }
    }
  }
}

/// Says which words of the prompts a small model has never read.
void say_unknown_words(const BundleInfo& info, const EmbeddingTable& embeddings,
                       const std::vector<ImageJob>& jobs) {
  constexpr std::size_t kMostShown = 12;
  constexpr std::size_t kLongestWord = 60;  // bytes; a longer one would flood the terminal
  std::set<std::string> seen;
  std::vector<std::string> unknown;
  for (const ImageJob& job : jobs) {
    const ImageRequest& request = job.request;
    if (!seen.insert(request.prompt).second) continue;
    for (std::string& word : list_unknown_words(request.prompt, request.settings.grammar,
                                                embeddings, info.known_words)) {
      if (std::ranges::count(unknown, word) == 0) unknown.push_back(std::move(word));
    }
  }
  if (unknown.empty()) return;
  const std::size_t more = unknown.size() > kMostShown ? unknown.size() - kMostShown : 0;
  unknown.resize(unknown.size() - more);
  for (std::string& word : unknown) {
    if (word.size() > kLongestWord) word = in_quotes(word);
  }
  say("The model " + info.name + " has never read: " + join(unknown, ", ") +
      (more > 0 ? " and " + std::to_string(more) + " more" : "") + ". It knows " +
      std::to_string(info.known_words.size()) + " words, which sdx-model show " + info.name +
      " lists; other words change a picture at random");
}

std::vector<ImageOptions> collect_prompts(const GenerateOptions& options) {
  std::vector<ImageOptions> prompts;
  for (const std::string& prompt : options.prompts) {
    prompts.push_back(options.image);
    prompts.back().prompt = prompt;
  }
  if (!options.prompt_file.empty()) {
    for (ImageOptions& prompt : read_prompt_options(options.prompt_file, options.image)) {
      prompts.push_back(std::move(prompt));
    }
  }
  if (prompts.empty() && !options.source_image.empty()) prompts.push_back(options.image);
  if (prompts.empty()) {
    throw UsageError("expected a prompt or --prompts FILE; see sdx-generate --help");
  }
  return prompts;
}

std::vector<ImageJob> plan_jobs(const GenerateOptions& options, const SamplingAdvice& advice,
                                EmbeddingTable& embeddings, LoraTable& loras) {
  const std::vector<ImageOptions> prompts = collect_prompts(options);
  std::vector<GridAxis> axes;
  for (const std::string& axis : options.axes) axes.push_back(parse_grid_axis(axis));
  JobSettings settings = read_sources(options.sources, prompts, axes);
  settings.count = options.count;
  settings.names = split_list(options.names, ',');
  settings.advice = advice;
  settings.loras = &loras;

  const std::uint64_t any_seed = std::random_device()();  // 32 bits: short enough to type again
  std::vector<ImageJob> jobs;
  std::map<std::string, std::uint64_t> repeats;
  for (ImageOptions prompt : prompts) {
    if (!prompt.seed) {
      // The same asked for twice is to be two pictures.
      const std::string asked = Settings(image_settings(), prompt)
                                    .to_json()
                                    .dump(-1, ' ', false, Json::error_handler_t::replace);
      prompt.seed = any_seed + repeats[prompt.prompt + "\n" + asked]++;
    }
    if (options.bare_names) bracket_known_names(prompt, embeddings, loras);
    for (ImageJob& job : make_jobs(prompt, settings)) jobs.push_back(std::move(job));
  }
  add_words_of_loras(jobs, loras, embeddings);
  return jobs;
}

void report(const GenerateOptions& options, const CommonOptions& common,
            const std::vector<ImageJob>& jobs, ImageWriter& writer) {
  for (const Json& line : writer.written()) {
    say_json(common, line);
    if (!common.json) std::puts(line["picture"].get<std::string>().c_str());
  }
  std::size_t cells = jobs.size();
  int columns = 0;
  if (!options.axes.empty()) {
    cells = 1;
    for (const std::string& axis : options.axes) cells *= parse_grid_axis(axis).values.size();
    columns = static_cast<int>(parse_grid_axis(options.axes.front()).values.size());
  }
  for (const std::filesystem::path& file : writer.write_grids(cells, columns)) {
    say_json(common, {{"grid", file.string()}});
    if (!common.json) std::puts(file.c_str());
  }
}

void generate(GenerateOptions options, CommonOptions common, const GpuOptions& asked_gpus,
              const std::optional<SourceImage>& source) {
  if (options.list_samplers) throw TextAnswer{sampler_list()};
  if (options.axes.size() > 2) throw UsageError("--xy: expected at most two axes");
  if (options.previews.every == 0 && !options.previews.tiny_autoencoder.empty()) {
    throw UsageError("`preview-vae` needs `preview-every`, which says how often");
  }
  options.output.grid = options.output.grid || !options.axes.empty();

  std::vector<int> gpus = share_among(asked_gpus, common);
  // Opening a GPU takes memory on it, which its own process is to have.
  std::optional<ComputeTarget> target;
  if (gpus.size() < 2) target = compute_target(common);
  if (options.vae == kAutoVae && source) options.vae = find_vae(*source);
  const Bundle bundle = with_vae(open_model(common), options.vae, source);
  EmbeddingTable embeddings;
  for (const std::string& place : options.embeddings) embeddings.add_from(place);
  LoraTable loras;
  for (const std::string& place : options.loras) loras.add_from(place);
  if (source && source->gives_prompt) {
    leave_out_missing_loras(*source, loras, options.image.prompt);
  }
  const std::vector<ImageJob> jobs = plan_jobs(options, bundle.info().advice, embeddings, loras);
  say_lora_misfits(bundle, jobs);
  check_embedding_names(embeddings, jobs);
  say_prompt_remarks(embeddings, jobs);
  say_unknown_words(bundle.info(), embeddings, jobs);
  if (options.sources.dynamic == DynamicPrompts::kAll) {
    say(std::to_string(jobs.size()) + " pictures will be made");
  }
  if (source && jobs.size() == 1) {
    options.batches.replay = read_batch_place(source->origin.infotext);
  }
  ImagePlan plan{options, bundle, embeddings, jobs, source};
  for (const ImageJob& job : jobs) plan.requests.push_back(job.request);
  gpus.resize(count_processes(plan, asked_gpus, gpus.size()));
  if (gpus.size() < 2 && !target) target = compute_target(common);
  if (source) {
    say_what_lacks(*source, options.image);
    say_face_detector(*source, options.image, bundle);
    say_bare_embeddings(*source, embeddings, jobs);
    say_other_loras(*source, jobs);
    if (target) say_precision(*source, std::string(precision_name(target->dtype)));
  }
  ImageWriter writer(options.output, embeddings);
  ImageMaker maker(plan, common, writer);
  std::vector<std::string> losses;
  if (target) {
    maker.make_here(*target);
  } else {
    losses = maker.make_on(gpus);
  }
  report(options, common, jobs, writer);
  for (const std::string& loss : losses) spdlog::warn("{}", loss);
}

/// What a process does that was started by make_on().
void generate_part(const GenerateOptions& options, const CommonOptions& common,
                   const GpuOptions& gpus) {
  begin_part(gpus);
  const ComputeTarget target = compute_target(common);
  make_part_of_images(with_vae(Bundle::find(common.model), options.vae, {}), target,
                      options.batches, options.previews);
}

}  // namespace

std::function<void()> define_generate(CommandLine& line) {
  struct Asked {
    GenerateOptions options;
    CommonOptions common;
    GpuOptions gpus;
    std::optional<SourceImage> source;
  };
  auto asked = std::make_shared<Asked>();
  GenerateOptions& options = asked->options;
  line.add(generate_settings(), options);
  line.add(prompt_source_settings(), options.sources);
  line.add(image_settings(), options.image);
  line.add(encoding_settings(), options.output.encoding);
  add_common_options(line, asked->common);
  add_gpu_options(line, asked->gpus);
  line.before_values([asked, &line] {
    const auto file = line.given("from-image");
    if (!file) return;
    asked->source = read_source(*file);
    asked->options.sources.dynamic = DynamicPrompts::kOff;
    asked->source->gives_prompt = !line.given("prompt") && !line.given("prompts");
    asked->source->gives_size = !line.given("size") && !line.given("aspect");
    const std::string& fault = asked->source->origin.prompt_fault;
    if (asked->source->gives_prompt && !fault.empty()) {
      throw DataError("--from-image " + *file + ": it says how it was made in " +
                      asked->source->origin.program +
                      "'s way, where the prompt cannot be read here: " + fault + "; type a prompt");
    }
    try {
      // What is typed is not looked at in the picture, where it may be something unknown here.
      read_infotext(
          asked->source->origin.infotext, asked->options.image, [&line](const std::string& key) {
            // A shape that is typed replaces the picture's size, too.
            if (key == "size" && line.given("aspect")) return true;
            const auto typed = line.given(key);
            // "--seed +1" counts on from the picture's.
            const bool is_relative =
                key == "seed" && typed && (typed->starts_with('+') || typed->starts_with('-'));
            return typed.has_value() && !is_relative;
          });
    } catch (const Error& error) {
      throw UsageError("--from-image " + *file + ": " + error.what());
    }
  });
  add_sampling_preset(line, options.image);
  line.after_values([&line] {
    const std::string variant = describe_sampler_variant(line.given("sampler").value_or(""));
    if (!variant.empty()) say(variant);
  });
  return [asked] {
    if (asked->gpus.part_of != 0) {
      return generate_part(asked->options, asked->common, asked->gpus);
    }
    generate(asked->options, asked->common, asked->gpus, asked->source);
  };
}

}  // namespace sdx
