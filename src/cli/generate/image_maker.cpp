#include "cli/generate/image_maker.h"

#include <ATen/ops/cat.h>

#include <algorithm>
#include <limits>

#include "cli/generate/image_share.h"
#include "cli/generate/request_json.h"
#include "cli/gpu_team.h"
#include "sdx/cli/tool.h"
#include "sdx/device/gpus.h"
#include "sdx/generation/image_size.h"
#include "sdx/generation/infotext.h"
#include "sdx/tensor/safetensors.h"
#include "sdx/util/error.h"
#include "sdx/util/stop.h"
#include "sdx/util/units.h"

namespace sdx {

namespace {

std::optional<at::Tensor> read_latents(const std::string& file) {
  if (file.empty()) return std::nullopt;
  const Safetensors content = map_safetensors(file);
  const auto found = content.tensors.find("latents");
  if (found == content.tensors.end()) {
    throw DataError(file + ": expected a tensor \"latents\" [B,4,h,w]");
  }
  return found->second.to(at::kFloat);
}

/// Thrown between two steps after Ctrl-C.
struct Stopped {
  int signal;
};

}  // namespace

ImageMaker::ImageMaker(const ImagePlan& plan, const CommonOptions& common, ImageWriter& writer)
    : plan_(plan), common_(common), writer_(writer) {}

void ImageMaker::make_here(const ComputeTarget& target) {
  check_latents_file();
  const std::optional<at::Tensor> initial_latents = read_latents(plan_.options.latents_in);
  Generator generator(plan_.bundle, target);
  generator.show_previews(plan_.options.previews, display());
  if (plan_.source) {
    check_own_size(*plan_.source, plan_.options.image.settings, plan_.bundle.info(), generator);
  }
  generator.check(plan_.requests, plan_.embeddings);
  writer_.open();
  stoppable([&] {
    generator.generate(plan_.requests, plan_.embeddings, plan_.options.batches, consumer(),
                       observer(), initial_latents);
  });
  write_latents();
}

std::vector<std::string> ImageMaker::make_on(const std::vector<int>& gpus) {
  check_latents_file();
  say("Sharing the work among " + std::to_string(gpus.size()) + " GPUs");
  GpuTeam team("sdx-generate", gpus, list_part_arguments(gpus.size()), common_);
  ImageLedger ledger(plan_.requests.size(), consumer());
  const auto on_ready = [&](const std::string& precision) {
    writer_.open();
    if (plan_.source) say_precision(*plan_.source, precision);
  };
  stoppable([&] {
    ImageShare sharing(
        plan_.requests, plan_.embeddings, ledger, on_ready,
        [&](int done, int total) { show(done, total); }, display());
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

/// What the processes of the GPUs have left.
void ImageMaker::make_rest(ImageLedger& ledger, std::optional<int> working_gpu) {
  CommonOptions common = common_;
  if (working_gpu) common.device = name_gpu(*working_gpu);
  Generator generator(plan_.bundle, compute_target(common));
  generator.show_previews(plan_.options.previews, display());
  generator.check(plan_.requests, plan_.embeddings);
  writer_.open();
  LedgerSource rest(ledger, /*maker=*/std::numeric_limits<std::size_t>::max());
  generator.generate(
      plan_.requests, plan_.embeddings, plan_.options.batches, rest,
      [&](std::size_t index, const GeneratedImage& made) { ledger.on_image(index, made); },
      observer());
}

std::vector<std::string> ImageMaker::list_part_arguments(std::size_t processes) const {
  CommonOptions part = make_part_options(common_, processes);
  std::vector<std::string> arguments = {"--batch=" + std::to_string(plan_.options.batches.size),
                                        "--vae=" + plan_.options.vae};
  if (const PreviewOptions& previews = plan_.options.previews; previews.every > 0) {
    arguments.push_back("--preview-every=" + std::to_string(previews.every));
    arguments.push_back("--preview-vae=" + previews.tiny_autoencoder);
  }
  const Settings settings(model_settings(), static_cast<ModelOptions&>(part));
  for (const BoundSetting& setting : settings.all()) {
    arguments.push_back("--" + setting.info->key + "=" + setting.to_text());
  }
  if (common_.quiet) arguments.emplace_back("--quiet");
  if (common_.verbose) arguments.emplace_back("--verbose");
  return arguments;
}

ImageConsumer ImageMaker::consumer() {
  return [this](std::size_t index, const GeneratedImage& made) {
    writer_.write(plan_.jobs[index],
                  infotext(plan_.requests[index], plan_.bundle, plan_.embeddings, version_text(),
                           made.generation_info),
                  made.image);
    if (!plan_.options.latents_out.empty()) final_latents_.push_back(made.latents);
  };
}

StepObserver ImageMaker::observer() {
  return [this](int done, int total) {
    show(done, total);
    if (const int signal = stop_signal(); signal != 0 && done < total) throw Stopped{signal};
  };
}

PreviewConsumer ImageMaker::display() {
  return [this](const Preview& preview) {
    if (!display_) display_.emplace(plan_.options.output.folder, common_);
    display_->show(preview);
  };
}

void ImageMaker::show(int done, int total) {
  if (!bar_) bar_.emplace("Generating", total, common_.quiet);
  bar_->update(done, count_text());
}

std::string ImageMaker::count_text() const {
  return std::to_string(writer_.count()) + " of " + std::to_string(plan_.jobs.size()) + " pictures";
}

void ImageMaker::stoppable(const std::function<void()>& work) {
  try {
    work();
  } catch (const Stopped& stopped) {
    throw Error(static_cast<ExitCode>(128 + stopped.signal),
                "stopped; " + count_text() + " are in " + plan_.options.output.folder);
  }
  bar_.reset();
  display_.reset();
}

/// The file of final latents holds one tensor, so the pictures must have one size.
void ImageMaker::check_latents_file() const {
  if (plan_.options.latents_out.empty()) return;
  const auto size = [this](const ImageSettings& settings) {
    return image_size(settings, plan_.bundle.info());
  };
  const ImageSettings& first = plan_.requests.front().settings;
  for (const ImageRequest& request : plan_.requests) {
    const ImageSettings& settings = request.settings;
    if (size(settings) == size(first) && settings.hires.scale == first.hires.scale) continue;
    const auto text = [&](const ImageSettings& one) {
      return std::to_string(size(one).width_px) + "x" + std::to_string(size(one).height_px) +
             (one.hires.scale == 1 ? "" : " times " + exact_number(one.hires.scale));
    };
    throw UsageError("`save-latents`: expected pictures of one size, found " + text(first) +
                     " and " + text(settings) + "; make those of each size by themselves");
  }
}

void ImageMaker::write_latents() const {
  if (plan_.options.latents_out.empty()) return;
  write_safetensors(plan_.options.latents_out, {{"latents", at::cat(final_latents_)}});
}

std::size_t count_processes(const ImagePlan& plan, const GpuOptions& gpus, std::size_t present) {
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

}  // namespace sdx
