#include "sdx/generation/generator.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/zeros.h>

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <future>
#include <limits>
#include <set>

#include "generation/batches.h"
#include "generation/fitting_batch.h"
#include "generation/image_decoder.h"
#include "generation/not_finite.h"
#include "generation/own_parts.h"
#include "generation/pass_plan.h"
#include "generation/previewer.h"
#include "generation/request_check.h"
#include "generation/start_image.h"
#include "sdx/device/pace.h"
#include "sdx/device/recorded_call.h"
#include "sdx/device/transfer.h"
#include "sdx/generation/guidance.h"
#include "sdx/generation/image_size.h"
#include "sdx/generation/noise.h"
#include "sdx/image/convert.h"
#include "sdx/image/transform.h"
#include "sdx/model/upscaler.h"
#include "sdx/model/vae.h"
#include "sdx/scheduler/sample_along.h"
#include "sdx/tensor/allocation_meter.h"
#include "sdx/util/error.h"
#include "sdx/util/stopwatch.h"
#include "sdx/util/units.h"

namespace sdx {

namespace {

constexpr double kModestTimes = 16;  ///< of the native area: its memory is not even estimated

/// Does one thing at a time beside the caller, if there is more than one thread.
class Background {
 public:
  void run(std::function<void()> work) {
    wait();
    if (at::get_num_threads() == 1) {
      work();
    } else {
      pending_ = std::async(std::launch::async, std::move(work));
    }
  }

  /// @throws what the work threw.
  void wait() {
    if (pending_.valid()) pending_.get();
  }

 private:
  std::future<void> pending_;
};

/// All batches of the requests, one after the other.
class AllBatches : public BatchSource {
 public:
  explicit AllBatches(std::size_t requests) : requests_(requests) {}

  std::optional<std::size_t> next() override {
    return next_ < requests_ ? std::optional(next_) : std::nullopt;
  }
  void on_batch(std::size_t first, std::size_t count) override { next_ = first + count; }

 private:
  std::size_t requests_;
  std::size_t next_ = 0;
};

}  // namespace

struct Generator::Impl {
  Impl(const Bundle& from, const ComputeTarget& where, const Tokenizer& given_tokenizer,
       const TextEncoders& given_text_encoders, const UNet& given_unet)
      : bundle(from),
        schedule(from.info().noise_schedule),
        tokenizer(given_tokenizer),
        text_encoders(given_text_encoders),
        unet(given_unet),
        decoder(from, where),
        target(where),
        batches(bundle.info(), schedule, target, unet) {}

  Impl(const Bundle& from, const ComputeTarget& where, std::unique_ptr<OwnParts> parts)
      : Impl(from, where, parts->tokenizer(), parts->text_encoders(), parts->unet()) {
    own_parts = std::move(parts);
  }

  const BundleInfo& info() const { return bundle.info(); }
  PredictionType prediction_type() const { return info().noise_schedule.prediction_type; }

  bool is_exact() const { return target.dtype == at::kFloat; }
  ComputeTarget exact_target() const { return {target.device, at::kFloat}; }

  /// Puts the LoRAs of the next pictures into the model, in place of those before.
  void apply(const AppliedLoras& loras, ContextCache& contexts) const {
    if (own_parts == nullptr) {
      if (!loras.empty()) throw InternalError("a generator with given parts takes no LoRAs");
    } else if (own_parts->apply(loras)) {
      contexts.forget();
    }
  }

  /// The same with networks in single precision, loaded when half precision has overflowed.
  const Impl& exact(const AppliedLoras& loras) const {
    if (!exact_impl) {
      exact_unet = std::make_unique<ChangingUNet>(bundle, exact_target());
      exact_impl = std::make_unique<Impl>(bundle, exact_target(), tokenizer, text_encoders,
                                          exact_unet->get());
    }
    exact_unet->apply(loras);
    return *exact_impl;
  }

  /// Needed for start images and second passes only, so loaded when it is.
  const VaeEncoder& vae_encoder() const {
    if (!encoder) encoder = std::make_unique<VaeEncoder>(bundle, target);
    return *encoder;
  }

  void show_preview(const Batch& batch, const at::Tensor& latents, int step, int steps) const {
    const std::string& tiny = batch.requests.front().settings.vae_approx;
    previewer->show(latents.narrow(0, static_cast<std::int64_t>(batch.first_row),
                                   static_cast<std::int64_t>(batch.count)),
                    tiny.empty() ? nullptr : &decoder.tiny(tiny), step, steps);
  }

  ImageSize in_pixels(const LatentSize& size) const {
    return {size.width * info().vae_factor, size.height * info().vae_factor};
  }

  /// @param noise [B,C,h,w]; with `original` what it is noised with.
  /// @param mask of what is made anew; undefined: all, or what the UNet itself is told
  at::Tensor walk(const Batch& batch, const PassPlan& plan, const LatentSize& size,
                  const at::Tensor& noise, const at::Tensor& original, const at::Tensor& mask,
                  ContextCache& contexts, const std::function<void()>& after_step) const {
    const ImageSize image = in_pixels(size);
    const StartImage* start = batch.requests.front().settings.start.get();
    Guidance guidance(batch.requests, plan.prompt_steps, plan.first_step, image, unet, contexts,
                      info().inpainting ? encode_masked(start, image.width_px, image.height_px,
                                                        info().vae_factor, vae_encoder())
                                        : at::Tensor());
    Pace pace(target.device);
    const SamplingPoint& begin = plan.points.at(static_cast<std::size_t>(plan.first_step));
    const at::Tensor sample = original.defined()
                                  ? noised(original, noise, begin)
                                  : starting_sample(plan.sampler.sampler, noise, begin);
    at::Tensor running;  // the picture that the model saw last
    return sample_along(
        schedule, plan.sampler, plan.points, plan.first_step, sample,
        [&](const at::Tensor& x, const SamplingPoint& point, int step) {
          const at::Tensor output = guidance.predict(x, point.timestep, step - plan.first_step);
          const at::Tensor seen = predicted_original(x, output, point, prediction_type());
          running = mask.defined() ? seen * mask + original * (1 - mask) : seen;
          return running;
        },
        [&](int draw) {
          std::vector<at::Tensor> rows;
          for (const ImageRequest& request : batch.requests) {
            rows.push_back(sampler_noise(request.seed, plan.pass, draw, size.channels, size.height,
                                         size.width));
          }
          return to_device(at::cat(rows), target.device);
        },
        [&](int step, const at::Tensor&) {
          pace.end_round();
          after_step();
          if (previewer && previewer->is_due(step, plan.steps_to_take())) {
            show_preview(batch, running, step, plan.steps_to_take());
          }
        });
  }

  /// The same picture larger, as latents of the second pass.
  at::Tensor enlarged(const at::Tensor& latents, const ImageSettings& settings,
                      const LatentSize& size) const {
    std::vector<at::Tensor> rows;
    for (std::int64_t i = 0; i < latents.size(0); ++i) {
      const at::Tensor one = latents.narrow(0, i, 1);
      const at::Tensor pixels =
          decoder.decode(one, settings, decoder.find_side(one, settings), false);
      const Image larger =
          resize(to_image(pixels), size.width * info().vae_factor, size.height * info().vae_factor);
      const at::Tensor encoded = vae_encoder().encode(to_tensor(larger)).mean;
      // An image of what is not finite would be: it stays what it is until somebody looks.
      const bool is_good = is_finite(one) && is_finite(pixels);
      rows.push_back(is_good ? encoded
                             : at::full_like(encoded, std::numeric_limits<float>::quiet_NaN()));
    }
    return at::cat(rows);
  }

  at::Tensor draw_start_noise(const Batch& batch, const LatentSize& size,
                              const std::optional<at::Tensor>& given) const {
    if (given) {
      const auto count = static_cast<std::int64_t>(batch.count);
      const auto repeats = static_cast<std::int64_t>(batch.requests.size()) / count;
      return to_device(given->narrow(0, static_cast<std::int64_t>(batch.first), count)
                           .repeat({repeats, 1, 1, 1}),
                       target.device);
    }
    std::vector<at::Tensor> rows;
    for (const ImageRequest& request : batch.requests) {
      rows.push_back(start_noise(request, size.channels, size.height, size.width));
    }
    return to_device(at::cat(rows), target.device);
  }

  /// Of an evaluation of the UNet for each latent of a picture.
  double evaluation_bytes() const {
    if (unet_bytes > 0) return unet_bytes;
    const at::NoGradGuard no_grad;
    const ImageRequest request;
    const LatentSize size = latent_size(request.settings, info());
    const EmbeddingTable none;
    PromptCache texts;
    ContextCache contexts(tokenizer, none, text_encoders, texts);
    Guidance guidance({request}, {1, 0}, 0, in_pixels(size), unet, contexts,
                      make_nothing_beside(size, info()));
    const PlainCallsGuard plain;
    const AllocationMeter meter;
    guidance.predict(at::zeros({1, size.channels, size.height, size.width}), 0, 0);
    unet_bytes = static_cast<double>(std::max<std::int64_t>(meter.peak_bytes(), 1)) /
                 (size.height * size.width);
    return unet_bytes;
  }

  static double count_latents(const LatentSize& size) {
    return static_cast<double>(size.height) * size.width;
  }

  double estimate_bytes(const ImageSettings& settings) const {
    return evaluation_bytes() * count_latents(latent_size(settings, info(), settings.hires.scale));
  }

  void check_memory(const ImageSettings& settings) const {
    const LatentSize size = latent_size(settings, info(), settings.hires.scale);
    if (count_latents(size) <= kModestTimes * count_latents(latent_size({}, info()))) return;
    const double bytes = estimate_bytes(settings);
    const auto free = static_cast<double>(available_bytes(target.device));
    if (bytes <= free) return;
    const auto side = [this](int latents) { return std::to_string(latents * info().vae_factor); };
    throw TryAgainError("`size`: " + side(size.width) + "x" + side(size.height) +
                        " pixels take about " + bytes_text(static_cast<std::uint64_t>(bytes)) +
                        " of memory, and " + bytes_text(static_cast<std::uint64_t>(free)) +
                        " are free; make the picture smaller");
  }

  static void check_latents(const at::Tensor& latents, std::size_t images, const LatentSize& size) {
    const auto count = static_cast<std::int64_t>(images);
    if (latents.sizes() == at::IntArrayRef({count, size.channels, size.height, size.width})) {
      if (!is_finite(latents)) throw DataError("`latents`: values in it are not finite");
      return;
    }
    throw DataError("`latents`: expected " + std::to_string(count) + " × " +
                    std::to_string(size.channels) + " × " + std::to_string(size.height) + " × " +
                    std::to_string(size.width) + " values, one set for each picture");
  }

  /// What a batch starts from, and the latents that come out.
  struct Denoised {
    std::shared_ptr<const PreparedStart> start;
    at::Tensor latents;
  };

  /// Both passes of a batch.
  Denoised denoise(const Batch& batch, const std::optional<at::Tensor>& initial_latents,
                   ContextCache& contexts, Background& background,
                   const std::function<void()>& after_step) const {
    const ImageSettings& settings = batch.requests.front().settings;
    const LatentSize size = latent_size(settings, info());
    std::shared_ptr<const PreparedStart> start;
    if (settings.start) {
      background.wait();
      const ImageSize px = image_size(settings, info());
      start = std::make_shared<PreparedStart>(prepare_start(
          *settings.start, px.width_px, px.height_px, info().vae_factor, vae_encoder()));
    }
    // As in diffusers' inpainting pipelines: nothing shows through from below the mask.
    const bool begins_anew = info().inpainting && settings.strength >= 1;
    const std::vector<PassPlan> passes = plan_passes(settings, schedule);
    at::Tensor latents =
        walk(batch, passes.front(), size, draw_start_noise(batch, size, initial_latents),
             start && !begins_anew ? start->latents : at::Tensor(),
             start && !info().inpainting ? start->latent_mask : at::Tensor(), contexts, after_step);
    if (passes.size() > 1) {
      const LatentSize larger = latent_size(settings, info(), settings.hires.scale);
      background.wait();
      latents = walk(batch, passes.back(), larger, draw_start_noise(batch, larger, std::nullopt),
                     enlarged(latents, settings, larger), at::Tensor(), contexts, after_step);
    }
    return {std::move(start), std::move(latents)};
  }

  Bundle bundle;
  NoiseSchedule schedule;
  std::unique_ptr<OwnParts> own_parts;
  const Tokenizer& tokenizer;
  const TextEncoders& text_encoders;
  const UNet& unet;
  ImageDecoder decoder;
  mutable std::unique_ptr<VaeEncoder> encoder;
  mutable double unet_bytes = 0;  ///< for a latent; 0: not measured yet
  mutable PromptCache prompts;    ///< checked first, made later
  ComputeTarget target;
  Batches batches;
  mutable std::unique_ptr<ChangingUNet> exact_unet;  ///< these where half precision has overflowed
  std::unique_ptr<const Previewer> previewer;        ///< null: nobody looks
  mutable std::unique_ptr<Impl> exact_impl;
};

Generator::Generator(const Bundle& bundle, const ComputeTarget& target)
    : impl_(std::make_unique<Impl>(bundle, target, std::make_unique<OwnParts>(bundle, target))) {}

Generator::Generator(const Bundle& bundle, const ComputeTarget& target, const Tokenizer& tokenizer,
                     const TextEncoders& text_encoders, const UNet& unet)
    : impl_(std::make_unique<Impl>(bundle, target, tokenizer, text_encoders, unet)) {}

Generator::~Generator() = default;

void Generator::check(const std::vector<ImageRequest>& requests,
                      const EmbeddingSizes& embeddings) const {
  std::set<const Lora*> fitting;  // looked at once, not for each picture
  for (const ImageRequest& request : requests) {
    check_request(request, impl_->info(), impl_->schedule, impl_->tokenizer, embeddings,
                  impl_->prompts);
    for (const AppliedLora& applied : request.settings.loras) {
      if (fitting.insert(applied.lora.get()).second) fit_lora(*applied.lora, impl_->bundle);
    }
    if (request.settings.feature_interval > 1) impl_->unet.require_feature_reuse();
    impl_->check_memory(request.settings);
    impl_->decoder.check(request.settings,
                         impl_->in_pixels(latent_size(request.settings, impl_->info(),
                                                      request.settings.hires.scale)));
  }
}

double Generator::estimate_bytes(const ImageSettings& settings) const {
  return impl_->estimate_bytes(settings);
}

int Generator::steady_batch_size(const ImageSettings& settings) const {
  const int useful = impl_->batches.steady_size(settings);
  const c10::Device device = impl_->target.device;
  if (device.is_cpu()) return useful;
  // Half of all memory, as what is free differs from run to run.
  return fitting_batch(useful, impl_->estimate_bytes(settings),
                       static_cast<double>(total_bytes(device)) / 2);
}

void Generator::show_previews(const PreviewOptions& options, PreviewConsumer consume) {
  impl_->previewer = options.every < 1 ? nullptr
                                       : std::make_unique<const Previewer>(
                                             options, std::move(consume), impl_->info(),
                                             impl_->decoder.vae(), impl_->target.device);
}

void Generator::generate(const std::vector<ImageRequest>& requests,
                         const EmbeddingTable& embeddings, const BatchOptions& options,
                         const ImageConsumer& consume, const StepObserver& observe,
                         const std::optional<at::Tensor>& initial_latents) const {
  AllBatches all(requests.size());
  make_batches(requests, embeddings, options, all, consume, observe, initial_latents);
}

void Generator::generate(const std::vector<ImageRequest>& requests,
                         const EmbeddingTable& embeddings, const BatchOptions& options,
                         BatchSource& source, const ImageConsumer& consume,
                         const StepObserver& observe) const {
  make_batches(requests, embeddings, options, source, consume, observe, std::nullopt);
}

void Generator::make_batches(const std::vector<ImageRequest>& requests,
                             const EmbeddingTable& embeddings, const BatchOptions& options,
                             BatchSource& source, const ImageConsumer& consume,
                             const StepObserver& observe,
                             const std::optional<at::Tensor>& initial_latents) const {
  check(requests, embeddings);
  if (requests.empty()) return;
  const Impl& impl = *impl_;
  const at::NoGradGuard no_grad;
  if (initial_latents) {
    impl.check_latents(*initial_latents, requests.size(),
                       latent_size(requests.front().settings, impl.info()));
  }

  int total = 0;
  for (const ImageRequest& request : requests) {
    total += steps_to_take(request.settings, impl.schedule);
  }
  int done = 0;
  ContextCache contexts(impl.tokenizer, embeddings, impl.text_encoders, impl.prompts);
  Background background;
  while (const auto first = source.next()) {
    const Stopwatch stopwatch;
    impl.apply(requests[*first].settings.loras, contexts);
    const Batch batch = impl.batches.next(requests, *first, options, contexts);
    source.on_batch(batch.first, batch.count);
    const auto after_step = [&] {
      done += static_cast<int>(batch.count);
      if (observe) observe(done, total);
    };

    const auto denoise = [&](const Impl& by, const std::function<void()>& observe_step) {
      return by.denoise(batch, initial_latents, contexts, background, observe_step);
    };
    Impl::Denoised made = denoise(impl, after_step);
    std::vector<bool> row_is_exact(batch.requests.size(), impl.is_exact());
    if (!impl.is_exact() && !is_finite(made.latents)) {
      spdlog::info("Pictures {} to {}: not finite in {}, so they are computed again in fp32",
                   batch.first + 1, batch.first + batch.count, precision_name(impl.target.dtype));
      const Impl::Denoised exact = denoise(impl.exact(batch.requests.front().settings.loras), [&] {
        if (observe) observe(done, total);
      });
      // Its neighbours stay what they are without it.
      std::vector<at::Tensor> rows;
      for (std::size_t row = 0; row < row_is_exact.size(); ++row) {
        const auto at = static_cast<std::int64_t>(row);
        row_is_exact[row] = !is_finite(made.latents.narrow(0, at, 1));
        rows.push_back((row_is_exact[row] ? exact : made).latents.narrow(0, at, 1));
      }
      made.latents = at::cat(rows);
    }

    spdlog::debug("Pictures {} to {} of {}: text and {} steps of all together in {:.2f} s",
                  batch.first + 1, batch.first + batch.count, requests.size(),
                  steps_to_take(batch.requests.front().settings, impl.schedule),
                  stopwatch.seconds());
    background.run([&impl, &consume, &embeddings, made, row_is_exact, batch] {
      const at::NoGradGuard no_grad_here;
      const Stopwatch decoding;
      const ImageSettings& made_by = batch.requests.front().settings;
      for (std::size_t i = 0; i < batch.count; ++i) {
        const std::size_t row = batch.first_row + i;
        const at::Tensor one = made.latents.narrow(0, static_cast<std::int64_t>(row), 1);
        const int side = made_by.tile ? 0 : impl.decoder.find_side(one, made_by);
        const bool is_exact = row_is_exact[row];
        const at::Tensor pixels =
            is_finite(one) ? impl.decoder.decode(one, made_by, side, is_exact) : one;
        if (!is_finite(pixels)) {
          PromptCache prompts;  // the generator's is not for two threads
          throw NotFiniteError(describe_not_finite(batch.requests[row], embeddings, prompts));
        }
        const Image image = to_image(pixels);
        GenerationInfo generation_info{
            {static_cast<int>(batch.requests.size()), static_cast<int>(row)},
            is_exact ? at::kFloat : impl.target.dtype,
            side * impl.info().vae_factor};
        const bool is_pasted = made.start && made_by.hires.scale == 1;
        Image finished = is_pasted ? pasted(image, *made.start) : image;
        if (!made_by.upscale.empty()) {
          const Upscaler& upscaler = impl.decoder.upscaler(made_by.upscale);
          finished = upscaler.enlarge(finished);
          generation_info.upscale = upscaler.scale();
        }
        consume(batch.first + i, {std::move(finished), generation_info, one.cpu()});
      }
      spdlog::debug("Pictures {} to {}: decoded and passed on in {:.2f} s", batch.first + 1,
                    batch.first + batch.count, decoding.seconds());
    });
  }
  background.wait();
}

}  // namespace sdx
