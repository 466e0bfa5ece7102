#include <ATen/ops/cat.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <utility>

#include "cli/generate/image_writer.h"
#include "sdx/cli/progress.h"
#include "sdx/cli/tool.h"
#include "sdx/generation/embedding_names.h"
#include "sdx/generation/foreign_infotext.h"
#include "sdx/generation/generator.h"
#include "sdx/generation/image_jobs.h"
#include "sdx/generation/infotext.h"
#include "sdx/image/write.h"
#include "sdx/image/metadata.h"
#include "sdx/prompt/prompt.h"
#include "sdx/prompt/prompt_remarks.h"
#include "sdx/scheduler/sampler_names.h"
#include "sdx/tensor/safetensors.h"
#include "sdx/util/error.h"
#include "sdx/util/stop.h"
#include "sdx/util/text.h"
#include "sdx/util/units.h"
#include "sdx/util/utf8.h"

namespace sdx {

namespace {

// A list of more would fill the memory before the first picture, and nobody looks at them.
constexpr int kMostImagesOfOnePrompt = 100'000;

struct GenerateOptions {
  std::vector<std::string> prompts;
  std::string prompt_file;
  std::string names;
  std::vector<std::string> embeddings = {"embeddings"};
  bool bare_names = false;
  PromptSources sources;
  std::string source_image;  ///< --from-image
  int count = 1;
  std::vector<std::string> axes;
  ImageOptions image;
  BatchOptions batches;
  OutputOptions output;
  std::string latents_in;
  std::string latents_out;
  bool list_samplers = false;
};

/// The picture whose metadata hold where the command line says nothing.
struct SourceImage {
  std::string file;
  ImageOrigin origin;
  bool gives_prompt = true;  ///< false: the command line gives it
  bool gives_size = true;
};

SourceImage read_source(const std::string& file) {
  std::optional<ImageOrigin> origin;
  try {
    origin = find_image_origin(read_image_texts(file));
  } catch (const DataError& error) {
    const std::string reason = error.what();
    const bool is_named = reason.starts_with(file);  // what the file's reader throws
    throw DataError("--from-image " + (is_named ? reason : file + ": " + reason));
  }
  if (!origin) {
    throw DataError("--from-image " + file + ": the picture doesn't say how it was made" +
                    (hides_text(file) ? ", but for a text hidden in its transparency, as NovelAI's "
                                        "have it, which is not read here"
                                      : ""));
  }
  return {file, *std::move(origin)};
}

const SettingsTable<GenerateOptions>& generate_settings() {
  using Options = GenerateOptions;
  static const SettingsTable<Options> kTable = [] {
    SettingsTable<Options> table;
    table.group("Input");
    table.add("prompt", &Options::prompts, "Prompts").positional();
    table.add("prompts", &Options::prompt_file,
              "File with a prompt on each line, or options: --prompt \"…\" --steps 30 --seed 7");
    table.add("names", &Options::names, "Comma-separated names, for {name} in prompts");
    table.add("from-image", &Options::source_image,
              "Prompt and settings of this picture; options on the command line come before");
    table.add("embeddings", &Options::embeddings, "Folders or files in which <Name> is looked up");
    table.add("bare-names", &Options::bare_names,
              "A learnt name means its embedding without < > as well");
    table.add("list-samplers", &Options::list_samplers, "Show what --sampler can be").of_one_call();
    table.group("Picture");
    table.add("count", &Options::count, "Pictures of each prompt, seed + 0, 1, …")
        .letter('n')
        .within(1, kMostImagesOfOnePrompt);
    table.group("Output");
    table.add("out", nested(&Options::output, &OutputOptions::folder), "Folder for the pictures");
    table.add("grid", nested(&Options::output, &OutputOptions::grid),
              "Also write a labelled contact sheet");
    table
        .add("xy", &Options::axes,
             "A grid over one or two options: \"cfg=5,7,9\" \"sampler=euler,ddim\"")
        .at_once(2);
    table.add("sidecar", nested(&Options::output, &OutputOptions::sidecar),
              "Also write prompt and settings as JSON");
    table
        .add("batch", nested(&Options::batches, &BatchOptions::size),
             "Pictures that are made at once; 0: what is fastest, if the memory allows")
        .at_least(0);
    table.add("latents", &Options::latents_in,
              "Start from these latents (safetensors, \"latents\" [B,4,h,w]) instead of noise");
    table.add("save-latents", &Options::latents_out,
              "Write the final latents (safetensors) to this file");
    return table;
  }();
  return kTable;
}

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

std::vector<ImageJob> plan_jobs(const GenerateOptions& options, double guidance_scale,
                                const EmbeddingTable& embeddings) {
  const std::vector<ImageOptions> prompts = collect_prompts(options);
  std::vector<GridAxis> axes;
  for (const std::string& axis : options.axes) axes.push_back(parse_grid_axis(axis));
  JobSettings settings = read_sources(options.sources, prompts, axes);
  settings.count = options.count;
  settings.names = split_list(options.names, ',');
  settings.guidance_scale = guidance_scale;

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
    if (options.bare_names) {
      prompt.prompt = bracket_bare_names(prompt.prompt, embeddings);
      prompt.negative = bracket_bare_names(prompt.negative, embeddings);
    }
    for (ImageJob& job : make_jobs(prompt, settings)) jobs.push_back(std::move(job));
  }
  return jobs;
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

void say_precision(const SourceImage& source, const ComputeTarget& target) {
  const std::string now(precision_name(target.dtype));
  const std::string then = source.origin.infotext.field("Precision").value_or("fp32");
  if (then == now || !is_plain_text(then)) return;
  say(source.file + " was computed in " + then + ", this is in " + now +
      ": pixels will differ a little; --dtype " + then + " makes the same ones");
}

/// Says what the picture states and the new one will not have.
void say_what_lacks(const SourceImage& source, const ImageOptions& options) {
  const Infotext& text = source.origin.infotext;
  if (was_made_from_image(text) && options.start_image.empty()) {
    say(source.file +
        " was made from another picture, which it does not hold: --init-image FILE "
        "gives that back; without it the beginning is noise");
  }
  const std::vector<std::string> lacks = list_not_taken_over(text);
  if (!lacks.empty()) {
    say(source.file + ": not taken over from the picture: " + join(lacks, ", "));
  }
  const std::string variant = describe_sampler_variant(text.field("Sampler").value_or(""));
  if (!variant.empty() && to_string(options.settings.sampler.sampler) ==
                              to_string(find_sampler_name(*text.field("Sampler"))->sampler.kind)) {
    say(source.file + ": " + variant);
  }
}

/// Says which embeddings the picture used by names that stand in its prompts without < >.
void say_bare_embeddings(const SourceImage& source, const EmbeddingTable& embeddings,
                         const std::vector<ImageJob>& jobs) {
  if (!source.gives_prompt) return;
  std::set<std::string> used;
  std::string texts;
  for (const ImageJob& job : jobs) {
    for (const std::string& name : list_embedding_names(job.request)) used.insert(name);
    texts = job.request.prompt + "\n" + job.request.negative_prompt;
  }
  for (const std::string& name : list_stated_embeddings(source.origin.infotext)) {
    if (used.contains(name) || texts.find(name) == std::string::npos) continue;
    const std::string shown = is_plain_text(name) ? "\"" + name + "\"" : in_quotes(name);
    say(source.file + " was made with the embedding " + shown +
        (embeddings.contains(name)
             ? ", whose name stands in its prompt without < >: here it is plain text; with "
               "--bare-names it is the embedding"
             : ", which is not known here: its name is plain text; --embeddings FOLDER says where "
               "to look"));
  }
}

/// A picture's own size is not one that anybody typed: where it is out of proportion to the model,
/// a person is told before the work.
void check_own_size(const SourceImage& source, const ImageSettings& settings,
                    const BundleInfo& info, const Generator& generator) {
  constexpr double kMostPixels = 4096.0 * 4096.0;
  constexpr double kModestTimes = 16;
  if (!source.gives_size || settings.width_px == 0) return;
  const double pixels = static_cast<double>(settings.width_px) * settings.height_px;
  const double native = static_cast<double>(info.native_size_px) * info.native_size_px;
  if (pixels <= kModestTimes * native) return;
  const std::string size =
      std::to_string(settings.width_px) + "x" + std::to_string(settings.height_px);
  const std::string advised =
      std::to_string(info.native_size_px) + "x" + std::to_string(info.native_size_px);
  const std::string text =
      source.file + ": its size is " + size + ", " + std::to_string(std::lround(pixels / native)) +
      " times the pixels that " + info.name + " was made for, which takes about " +
      bytes_text(static_cast<std::uint64_t>(generator.estimate_bytes(settings))) + " of memory";
  if (pixels > kMostPixels) {
    throw UsageError("--from-image " + text + "; type --size " + advised + ", or --size " + size +
                     " if it is meant");
  }
  say(text + "; --size " + advised + " is quicker");
}

/// Thrown between two steps after Ctrl-C.
struct Stopped {
  int signal;
};

void make_images(const GenerateOptions& options, const CommonOptions& common,
                 const ComputeTarget& target, const Bundle& bundle,
                 const EmbeddingTable& embeddings, const std::vector<ImageJob>& jobs,
                 const std::optional<SourceImage>& source, ImageWriter& writer) {
  const std::optional<at::Tensor> initial_latents = read_latents(options.latents_in);
  const Generator generator(bundle, target);
  std::vector<ImageRequest> requests;
  for (const ImageJob& job : jobs) requests.push_back(job.request);
  if (source) check_own_size(*source, options.image.settings, bundle.info(), generator);
  generator.check(requests, embeddings);

  std::vector<at::Tensor> final_latents;
  std::optional<ProgressBar> bar;
  const std::string of_all = " of " + std::to_string(jobs.size()) + " pictures";
  const auto consume = [&](std::size_t index, const GeneratedImage& made) {
    writer.write(
        jobs[index],
        infotext(requests[index], bundle, embeddings, version_text(), made.generation_info),
        made.image);
    if (!options.latents_out.empty()) final_latents.push_back(made.latents);
  };
  const auto observe = [&](int done, int total) {
    if (!bar) bar.emplace("Generating", total, common.quiet);
    bar->update(done, std::to_string(writer.count()) + of_all);
    if (const int signal = stop_signal(); signal != 0 && done < total) throw Stopped{signal};
  };
  try {
    generator.generate(requests, embeddings, options.batches, consume, observe, initial_latents);
  } catch (const Stopped& stopped) {
    throw Error(
        static_cast<ExitCode>(128 + stopped.signal),
        "stopped; " + std::to_string(writer.count()) + of_all + " are in " + options.output.folder);
  }
  if (!options.latents_out.empty()) {
    write_safetensors(options.latents_out, {{"latents", at::cat(final_latents)}});
  }
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

void generate(GenerateOptions options, const CommonOptions& common,
              const std::optional<SourceImage>& source) {
  if (options.list_samplers) throw TextAnswer{sampler_list()};
  if (options.axes.size() > 2) throw UsageError("--xy: expected at most two axes");
  options.output.grid = options.output.grid || !options.axes.empty();

  const ComputeTarget target = compute_target(common);
  const Bundle bundle = open_model(common);
  EmbeddingTable embeddings;
  for (const std::string& place : options.embeddings) embeddings.add_from(place);
  const std::vector<ImageJob> jobs = plan_jobs(options, bundle.info().guidance_scale, embeddings);
  check_embedding_names(embeddings, jobs);
  say_prompt_remarks(embeddings, jobs);
  if (options.sources.dynamic == DynamicPrompts::kAll) {
    say(std::to_string(jobs.size()) + " pictures will be made");
  }
  if (source) {
    say_what_lacks(*source, options.image);
    say_bare_embeddings(*source, embeddings, jobs);
    say_precision(*source, target);
  }
  if (source && jobs.size() == 1) {
    options.batches.replay = read_batch_place(source->origin.infotext);
  }
  ImageWriter writer(options.output);
  make_images(options, common, target, bundle, embeddings, jobs, source, writer);
  report(options, common, jobs, writer);
}

}  // namespace

std::function<void()> define_generate(CommandLine& line) {
  struct Asked {
    GenerateOptions options;
    CommonOptions common;
    std::optional<SourceImage> source;
  };
  auto asked = std::make_shared<Asked>();
  GenerateOptions& options = asked->options;
  line.add(generate_settings(), options);
  line.add(prompt_source_settings(), options.sources);
  line.add(image_settings(), options.image);
  line.add(encoding_settings(), options.output.encoding);
  add_common_options(line, asked->common);
  line.before_values([asked, &line] {
    const auto file = line.given("from-image");
    if (!file) return;
    asked->source = read_source(*file);
    asked->options.sources.dynamic = DynamicPrompts::kOff;
    asked->source->gives_prompt = !line.given("prompt") && !line.given("prompts");
    asked->source->gives_size = !line.given("size");
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
  line.after_values([&line] {
    const std::string variant = describe_sampler_variant(line.given("sampler").value_or(""));
    if (!variant.empty()) say(variant);
  });
  return [asked] { generate(asked->options, asked->common, asked->source); };
}

}  // namespace sdx
