#include <ATen/ops/cat.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <utility>

#include "cli/generate/image_ledger.h"
#include "cli/generate/image_part.h"
#include "cli/generate/image_share.h"
#include "cli/generate/image_writer.h"
#include "cli/generate/request_json.h"
#include "cli/gpu_options.h"
#include "cli/gpu_team.h"
#include "sdx/cli/progress.h"
#include "sdx/cli/tool.h"
#include "sdx/device/gpus.h"
#include "sdx/generation/embedding_names.h"
#include "sdx/generation/foreign_infotext.h"
#include "sdx/generation/generator.h"
#include "sdx/generation/image_jobs.h"
#include "sdx/generation/infotext.h"
#include "sdx/image/metadata.h"
#include "sdx/image/write.h"
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
    table.add("prompt", &Options::prompts, "Prompts").positional().common();
    table
        .add("prompts", &Options::prompt_file,
             "File with a prompt on each line, or options: --prompt \"…\" --steps 30 --seed 7")
        .names(SettingValue::kFile)
        .common();
    table.add("names", &Options::names, "Comma-separated names, for {name} in prompts")
        .names(SettingValue::kEmbedding)
        .common();
    table
        .add("from-image", &Options::source_image,
             "Prompt and settings of this picture; options on the command line come before")
        .names(SettingValue::kFile)
        .common();
    table.add("embeddings", &Options::embeddings, "Folders or files in which <Name> is looked up")
        .names(SettingValue::kFile);
    table.add("bare-names", &Options::bare_names,
              "A learnt name means its embedding without < > as well");
    table.add("list-samplers", &Options::list_samplers, "Show what --sampler can be").of_one_call();
    table.group("Picture");
    table.add("count", &Options::count, "Pictures of each prompt, seed + 0, 1, …")
        .letter('n')
        .within(1, kMostImagesOfOnePrompt)
        .common();
    table.group("Output");
    table.add("out", nested(&Options::output, &OutputOptions::folder), "Folder for the pictures")
        .names(SettingValue::kFolder)
        .common();
    table
        .add("grid", nested(&Options::output, &OutputOptions::grid),
             "Also write a labelled contact sheet")
        .common();
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
    table
        .add("latents", &Options::latents_in,
             "Start from these latents (safetensors, \"latents\" [B,4,h,w]) instead of noise")
        .names(SettingValue::kFile);
    table
        .add("save-latents", &Options::latents_out,
             "Write the final latents (safetensors) to this file")
        .names(SettingValue::kFile);
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

/// @param now in which type the networks compute
void say_precision(const SourceImage& source, const std::string& now) {
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
bool is_out_of_proportion(const SourceImage& source, const ImageSettings& settings,
                          const BundleInfo& info) {
  constexpr double kModestTimes = 16;
  if (!source.gives_size || settings.width_px == 0) return false;
  const double pixels = static_cast<double>(settings.width_px) * settings.height_px;
  return pixels > kModestTimes * info.native_size_px * info.native_size_px;
}

void check_own_size(const SourceImage& source, const ImageSettings& settings,
                    const BundleInfo& info, const Generator& generator) {
  constexpr double kMostPixels = 4096.0 * 4096.0;
  if (!is_out_of_proportion(source, settings, info)) return;
  const double pixels = static_cast<double>(settings.width_px) * settings.height_px;
  const double native = static_cast<double>(info.native_size_px) * info.native_size_px;
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

/// What is to be made, and what is known of it before a device is chosen.
struct Plan {
  const GenerateOptions& options;
  const Bundle& bundle;
  const EmbeddingTable& embeddings;
  const std::vector<ImageJob>& jobs;
  const std::optional<SourceImage>& source;
  std::vector<ImageRequest> requests = {};  ///< of the jobs
};

/// Makes a plan's pictures, here or on several GPUs, and gives them to the writer.
class ImageMaker {
 public:
  ImageMaker(const Plan& plan, const CommonOptions& common, ImageWriter& writer)
      : plan_(plan), common_(common), writer_(writer) {}

  void make_here(const ComputeTarget& target) {
    const std::optional<at::Tensor> initial_latents = read_latents(plan_.options.latents_in);
    const Generator generator(plan_.bundle, target);
    if (plan_.source) {
      check_own_size(*plan_.source, plan_.options.image.settings, plan_.bundle.info(), generator);
    }
    generator.check(plan_.requests, plan_.embeddings);
    stoppable([&] {
      generator.generate(plan_.requests, plan_.embeddings, plan_.options.batches, consumer(),
                         observer(), initial_latents);
    });
    write_latents();
  }

  /// @return what is to be said at the end of the processes that were lost
  std::vector<std::string> make_on(const std::vector<int>& gpus) {
    say("Sharing the work among " + std::to_string(gpus.size()) + " GPUs");
    GpuTeam team("sdx-generate", gpus, list_part_arguments(gpus.size()), common_);
    ImageLedger ledger(plan_.requests.size(), consumer());
    const auto on_ready = [&](const std::string& precision) {
      if (plan_.source) say_precision(*plan_.source, precision);
    };
    stoppable([&] {
      ImageShare sharing(plan_.requests, plan_.embeddings, ledger, on_ready,
                         [&](int done, int total) { show(done, total); });
      sharing.run(team);
      if (const int signal = stop_signal(); signal != 0 && !ledger.is_done()) {
        ledger.flush();
        throw Stopped{signal};
      }
      if (!ledger.is_done()) make_rest(ledger, team.find_working_gpu());
    });
    write_latents();
    return team.losses();
  }

 private:
  /// What the processes of the GPUs have left.
  void make_rest(ImageLedger& ledger, std::optional<int> working_gpu) {
    CommonOptions common = common_;
    if (working_gpu) common.device = name_gpu(*working_gpu);
    const Generator generator(plan_.bundle, compute_target(common));
    LedgerSource rest(ledger, /*maker=*/std::numeric_limits<std::size_t>::max());
    generator.generate(
        plan_.requests, plan_.embeddings, plan_.options.batches, rest,
        [&](std::size_t index, const GeneratedImage& made) { ledger.on_image(index, made); },
        observer());
  }

  std::vector<std::string> list_part_arguments(std::size_t processes) const {
    CommonOptions part = make_part_options(common_, processes);
    std::vector<std::string> arguments = {"--batch=" + std::to_string(plan_.options.batches.size)};
    const Settings settings(model_settings(), static_cast<ModelOptions&>(part));
    for (const BoundSetting& setting : settings.all()) {
      arguments.push_back("--" + setting.info->key + "=" + setting.to_text());
    }
    if (common_.quiet) arguments.emplace_back("--quiet");
    if (common_.verbose) arguments.emplace_back("--verbose");
    return arguments;
  }

  ImageConsumer consumer() {
    return [this](std::size_t index, const GeneratedImage& made) {
      writer_.write(plan_.jobs[index],
                    infotext(plan_.requests[index], plan_.bundle, plan_.embeddings, version_text(),
                             made.generation_info),
                    made.image);
      if (!plan_.options.latents_out.empty()) final_latents_.push_back(made.latents);
    };
  }

  StepObserver observer() {
    return [this](int done, int total) {
      show(done, total);
      if (const int signal = stop_signal(); signal != 0 && done < total) throw Stopped{signal};
    };
  }

  void show(int done, int total) {
    if (!bar_) bar_.emplace("Generating", total, common_.quiet);
    bar_->update(done, count_text());
  }

  std::string count_text() const {
    return std::to_string(writer_.count()) + " of " + std::to_string(plan_.jobs.size()) +
           " pictures";
  }

  void stoppable(const std::function<void()>& work) {
    try {
      work();
    } catch (const Stopped& stopped) {
      throw Error(static_cast<ExitCode>(128 + stopped.signal),
                  "stopped; " + count_text() + " are in " + plan_.options.output.folder);
    }
    bar_.reset();
  }

  void write_latents() const {
    if (plan_.options.latents_out.empty()) return;
    write_safetensors(plan_.options.latents_out, {{"latents", at::cat(final_latents_)}});
  }

  const Plan& plan_;
  const CommonOptions& common_;
  ImageWriter& writer_;
  std::vector<at::Tensor> final_latents_;
  std::optional<ProgressBar> bar_;
};

/// How many processes can make a plan's pictures at once.
std::size_t count_processes(const Plan& plan, const GpuOptions& gpus, std::size_t present) {
  if (present < 2) return present;
  const GenerateOptions& options = plan.options;
  if (!options.latents_in.empty()) {
    if (!gpus.is_given) return 1;
    throw UsageError("`gpus` " + gpus.gpus +
                     ": pictures that begin with `latents` are made on one; name that one");
  }
  const bool is_alone = options.batches.replay ||
                        (plan.source && is_out_of_proportion(*plan.source, options.image.settings,
                                                             plan.bundle.info()));
  const std::size_t useful = is_alone ? 1 : count_useful_processes(plan.requests, options.batches);
  return useful > 1 && survives_json(plan.requests) ? std::min(useful, present) : 1;
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
  options.output.grid = options.output.grid || !options.axes.empty();

  std::vector<int> gpus = share_among(asked_gpus, common);
  // Opening a GPU takes memory on it, which its own process is to have.
  std::optional<ComputeTarget> target;
  if (gpus.size() < 2) target = compute_target(common);
  const Bundle bundle = open_model(common);
  EmbeddingTable embeddings;
  for (const std::string& place : options.embeddings) embeddings.add_from(place);
  const std::vector<ImageJob> jobs = plan_jobs(options, bundle.info().guidance_scale, embeddings);
  check_embedding_names(embeddings, jobs);
  say_prompt_remarks(embeddings, jobs);
  if (options.sources.dynamic == DynamicPrompts::kAll) {
    say(std::to_string(jobs.size()) + " pictures will be made");
  }
  if (source && jobs.size() == 1) {
    options.batches.replay = read_batch_place(source->origin.infotext);
  }
  Plan plan{options, bundle, embeddings, jobs, source};
  for (const ImageJob& job : jobs) plan.requests.push_back(job.request);
  gpus.resize(count_processes(plan, asked_gpus, gpus.size()));
  if (gpus.size() < 2 && !target) target = compute_target(common);
  if (source) {
    say_what_lacks(*source, options.image);
    say_bare_embeddings(*source, embeddings, jobs);
    if (target) say_precision(*source, std::string(precision_name(target->dtype)));
  }
  ImageWriter writer(options.output);
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
  make_part_of_images(Bundle::find(common.model), target, options.batches);
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
  return [asked] {
    if (asked->gpus.part_of != 0) {
      return generate_part(asked->options, asked->common, asked->gpus);
    }
    generate(asked->options, asked->common, asked->gpus, asked->source);
  };
}

}  // namespace sdx
