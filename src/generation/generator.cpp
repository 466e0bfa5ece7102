#include "sdx/generation/generator.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full_like.h>

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "generation/background.h"
#include "generation/batches.h"
#include "generation/fitting_batch.h"
#include "generation/image_decoder.h"
#include "generation/not_finite.h"
#include "generation/own_parts.h"
#include "generation/pass_memory.h"
#include "generation/pass_plan.h"
#include "generation/previewer.h"
#include "generation/refine_faces.h"
#include "generation/request_check.h"
#include "generation/start_image.h"
#include "sdx/device/pace.h"
#include "sdx/device/transfer.h"
#include "sdx/generation/guidance.h"
#include "sdx/generation/image_size.h"
#include "sdx/generation/noise.h"
#include "sdx/image/convert.h"
#include "sdx/image/transform.h"
#include "sdx/model/upscaler.h"
#include "sdx/model/vae.h"
#include "sdx/scheduler/sample_along.h"
#include "sdx/util/error.h"
#include "sdx/util/stopwatch.h"

namespace sdx {

struct Generator::Impl {
  Impl(const Bundle& from, const ComputeTarget& where, const Tokenizer& given_tokenizer,
       const TextEncoders& given_text_encoders, const UNet& given_unet)
      : bundle(from),
        schedule(from.info().noise_schedule),
        tokenizer(given_tokenizer),
        text_encoders(given_text_encoders),
        unet(given_unet),
        decoder(from, where),
        refiner(bundle, where.device),
        memory(bundle.info(), tokenizer, text_encoders, unet, where.device),
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

  /// Steps of all passes, and where faces are refined those of one face: how many there are, nobody
  /// knows before.
  int count_steps(const ImageSettings& settings) const {
    return steps_to_take(settings, schedule) + count_face_steps(settings);
  }
  int count_face_steps(const ImageSettings& settings) const {
    if (!settings.faces.refine) return 0;
    const auto any = std::make_shared<StartImage>(StartImage{Image(1, 1), std::nullopt});
    return steps_to_take(make_face_settings(settings, info(), any), schedule);
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

  /// A picture of a batch, decoded; the start image shows where its mask is black.
  /// @throws NotFiniteError.
  GeneratedImage decode(const Batch& batch, std::size_t row, const Denoised& made, bool is_exact,
                        const EmbeddingTable& embeddings) const {
    const ImageSettings& settings = batch.requests[row].settings;
    const at::Tensor one = made.latents.narrow(0, static_cast<std::int64_t>(row), 1);
    const int side = settings.tile ? 0 : decoder.find_side(one, settings);
    const at::Tensor pixels = is_finite(one) ? decoder.decode(one, settings, side, is_exact) : one;
    if (!is_finite(pixels)) {
      PromptCache texts;  // the generator's is not for two threads
      throw NotFiniteError(describe_not_finite(batch.requests[row], embeddings, texts));
    }
    const Image image = to_image(pixels);
    const bool is_pasted = made.start && settings.hires.scale == 1;
    return {is_pasted ? pasted(image, *made.start) : image,
            {{static_cast<int>(batch.requests.size()), static_cast<int>(row)},
             is_exact ? at::kFloat : target.dtype,
             side * info().vae_factor},
            one.cpu()};
  }

  void enlarge(GeneratedImage& made, const std::string& name) const {
    if (name.empty()) return;
    const Upscaler& upscaler = decoder.upscaler(name);
    made.image = upscaler.enlarge(made.image);
    made.generation_info.upscale = upscaler.scale();
  }

  Bundle bundle;
  NoiseSchedule schedule;
  std::unique_ptr<OwnParts> own_parts;
  const Tokenizer& tokenizer;
  const TextEncoders& text_encoders;
  const UNet& unet;
  ImageDecoder decoder;
  FaceRefiner refiner;
  PassMemory memory;
  mutable std::unique_ptr<VaeEncoder> encoder;
  mutable PromptCache prompts;  ///< checked first, made later
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
    if (request.settings.faces.refine) {
      for (const ImageRequest& face : impl_->refiner.check(request, embeddings)) {
        check_request(face, impl_->info(), impl_->schedule, impl_->tokenizer, embeddings,
                      impl_->prompts);
      }
    }
    if (request.settings.feature_interval > 1) impl_->unet.require_feature_reuse();
    impl_->memory.check(request.settings);
    impl_->decoder.check(request.settings,
                         impl_->in_pixels(latent_size(request.settings, impl_->info(),
                                                      request.settings.hires.scale)));
  }
}

double Generator::estimate_bytes(const ImageSettings& settings) const {
  return impl_->memory.estimate_bytes(settings);
}

int Generator::steady_batch_size(const ImageSettings& settings) const {
  const int useful = impl_->batches.steady_size(settings);
  const c10::Device device = impl_->target.device;
  if (device.is_cpu()) return useful;
  // Half of all memory, as what is free differs from run to run.
  return fitting_batch(useful, impl_->memory.estimate_bytes(settings),
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
    check_latents(*initial_latents, requests.size(),
                  latent_size(requests.front().settings, impl.info()));
  }

  int total = 0;
  for (const ImageRequest& request : requests) {
    total += impl.count_steps(request.settings);
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
    const auto finish = [&impl, &consume, &embeddings, made, row_is_exact,
                         batch](const std::function<void(GeneratedImage&, std::size_t)>& refine) {
      const at::NoGradGuard no_grad_here;
      const Stopwatch decoding;
      for (std::size_t i = 0; i < batch.count; ++i) {
        const std::size_t row = batch.first_row + i;
        GeneratedImage image = impl.decode(batch, row, made, row_is_exact[row], embeddings);
        if (refine) refine(image, i);
        impl.enlarge(image, batch.requests[row].settings.upscale);
        consume(batch.first + i, image);
      }
      spdlog::debug("Pictures {} to {}: decoded and passed on in {:.2f} s", batch.first + 1,
                    batch.first + batch.count, decoding.seconds());
    };
    if (!batch.requests.front().settings.faces.refine) {
      background.run([finish] { finish({}); });
      continue;
    }
    background.wait();
    finish([&](GeneratedImage& image, std::size_t i) {
      const std::size_t index = batch.first + i;
      const int face_steps = impl.count_face_steps(requests[index].settings);
      refine_faces(image, requests[index], embeddings, "Picture " + std::to_string(index + 1),
                   made.start && made.start->mask ? &*made.start->mask : nullptr,
                   [&](double share) {
                     if (observe) observe(done + static_cast<int>(share * face_steps), total);
                   });
      done += face_steps;
      if (observe) observe(done, total);
    });
  }
  background.wait();
}

void Generator::refine_faces(GeneratedImage& image, const ImageRequest& request,
                             const EmbeddingTable& embeddings, const std::string& what,
                             const Image* kept,
                             const std::function<void(double share)>& observe) const {
  image.generation_info.faces = impl_->refiner.refine(
      image.image, request, embeddings, what, kept,
      [&](const ImageRequest& one, std::size_t done, std::size_t total) {
        Image made;
        // Alone in its batch: its bytes depend on nothing else.
        generate(
            {one}, embeddings, {1, std::nullopt},
            [&](std::size_t, const GeneratedImage& face) { made = face.image; },
            [&](int step, int steps) {
              const double faces = static_cast<double>(done) + static_cast<double>(step) / steps;
              observe(total == 0 ? 0 : faces / static_cast<double>(total));
            });
        return made;
      });
}

}  // namespace sdx
