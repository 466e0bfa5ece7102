#include "sdx/roster/team_estimate.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "sdx/dataset/templates.h"
#include "sdx/device/recorded_call.h"
#include "sdx/training/judge.h"
#include "sdx/training/training_spec.h"
#include "sdx/util/stopwatch.h"

namespace sdx {

namespace {

constexpr double kPassesOfAStep = 3;
/// With and without the prompt.
constexpr double kGuidanceRows = 2;

/// Of one image in a batch through the UNet, without a gradient.
double seconds_per_row(const LoadedModel& model, int rows) {
  const at::NoGradGuard no_grad;
  const PlainCallsGuard plain;
  const BundleInfo& info = model.bundle.info();
  const int side = info.native_size_px / info.vae_factor;
  const at::Tensor sample = at::zeros({rows, info.latent_channels, side, side});
  const TextEncoders& encoders = model.text_encoders;
  const ChunkIds chunks = encoders.measuring_chunks(rows);
  const Conditioning conditioning =
      encoders.join(encoders.encode(encoders.embed(chunks), chunks.ends), rows,
                    {info.native_size_px, info.native_size_px});
  const auto pass = [&] {
    const Stopwatch stopwatch;
    // A GPU is given its work and goes on alone; its result is what one has to wait for.
    model.unet.forward(sample, at::zeros({rows}, at::kLong), conditioning).cpu();
    return stopwatch.seconds();
  };
  pass();  // the first one prepares
  return std::min(pass(), pass()) / rows;
}

/// Rows through the UNet for an evaluation: an image of each prompt, and each of its draws of noise
/// under every prompt.
double evaluation_rows(const TrainingSpec& training) {
  const JudgeOptions judge;
  const auto prompts = std::min(static_cast<double>(load_previews().size()),
                                static_cast<double>(training.trainer.previews));
  return prompts * judge.steps * kGuidanceRows + prompts * judge.draws * prompts;
}

double training_rows(const TrainingSpec& training) {
  const InversionOptions& inversion = training.inversion;
  double rows =
      inversion.steps * (kPassesOfAStep * inversion.batch_size * inversion.accumulate +
                         static_cast<double>(fixed_batch_rows(inversion)) / kMeasureEverySteps);
  if (training.trainer.milestone_steps > 0) {
    rows += static_cast<double>(inversion.steps) / training.trainer.milestone_steps *
            evaluation_rows(training);
  }
  return rows;
}

double drawing_rows(const std::vector<ImageRequest>& requests) {
  double rows = 0;
  for (const ImageRequest& request : requests) {
    rows += kGuidanceRows * request.settings.sampler.steps;
  }
  return rows;
}

}  // namespace

TeamEstimate estimate_team(const TeamPlan& plan, const LoadedModel& model) {
  if (plan.members.empty()) return {};
  double drawing = drawing_rows(plan.group_images);
  double training = 0;
  for (const TeamMember& member : plan.members) {
    drawing += drawing_rows(member.images);
    const double side = choose_size_px(member.training.subject, model.bundle.info());
    const double share = side / model.bundle.info().native_size_px;
    training += training_rows(member.training) * share * share;
  }
  const double row = seconds_per_row(model, plan.members.front().training.inversion.batch_size);
  return {row * training, row * drawing};
}

std::size_t count_images(const TeamPlan& plan) {
  std::size_t images = plan.group_images.size();
  for (const TeamMember& member : plan.members) images += member.images.size();
  return images;
}

}  // namespace sdx
