#include "sdx/generation/generator.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>

#include <spdlog/spdlog.h>

#include <set>

#include "generation/background.h"
#include "generation/batch_denoiser.h"
#include "generation/batches.h"
#include "generation/fitting_batch.h"
#include "generation/image_decoder.h"
#include "generation/not_finite.h"
#include "generation/own_parts.h"
#include "generation/pass_memory.h"
#include "generation/pass_plan.h"
#include "generation/refine_faces.h"
#include "generation/request_check.h"
#include "sdx/device/device.h"
#include "sdx/generation/guidance.h"
#include "sdx/generation/image_size.h"
#include "sdx/image/convert.h"
#include "sdx/model/upscaler.h"
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
        denoiser(from, where, unet, decoder),
        refiner(bundle, where.device),
        memory(bundle.info(), tokenizer, text_encoders, unet, where.device),
        target(where),
        batches(bundle.info(), schedule, target, unet) {}

  Impl(const Bundle& from, const ComputeTarget& where, std::unique_ptr<OwnParts> parts)
      : Impl(from, where, parts->tokenizer(), parts->text_encoders(), parts->unet()) {
    own_parts = std::move(parts);
  }

  const BundleInfo& info() const { return bundle.info(); }
  bool is_exact() const { return target.dtype == at::kFloat; }

  /// Puts the LoRAs of the next pictures into the model, in place of those before.
  void apply(const AppliedLoras& loras, ContextCache& contexts) const {
    if (own_parts == nullptr) {
      if (!loras.empty()) throw InternalError("a generator with given parts takes no LoRAs");
    } else if (own_parts->apply(loras)) {
      contexts.forget();
    }
  }

  /// Networks in single precision, loaded when half precision has overflowed.
  struct Exact {
    Exact(const Bundle& bundle, const ComputeTarget& target)
        : unet(bundle, target),
          decoder(bundle, target),
          denoiser(bundle, target, unet.get(), decoder) {}

    ChangingUNet unet;
    ImageDecoder decoder;
    BatchDenoiser denoiser;
  };
  const BatchDenoiser& exact_denoiser(const AppliedLoras& loras) const {
    if (!exact) exact = std::make_unique<Exact>(bundle, ComputeTarget{target.device, at::kFloat});
    exact->unet.apply(loras);
    return exact->denoiser;
  }

  ImageSize in_pixels(const LatentSize& size) const {
    return {size.width * info().vae_factor, size.height * info().vae_factor};
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

  /// A batch that has been through the UNet.
  struct MadeBatch {
    Batch batch;
    Denoised denoised;
    std::vector<bool> row_is_exact;
  };

  /// @param observe_step of all pictures of the batch
  /// @param stay_alive   after a step that is taken once more, in single precision
  MadeBatch make(const Batch& batch, const std::optional<at::Tensor>& initial_latents,
                 ContextCache& contexts, Background& background,
                 const std::function<void()>& observe_step,
                 const std::function<void()>& stay_alive) const {
    Denoised made = denoiser.denoise(batch, initial_latents, contexts, background, previewer.get(),
                                     observe_step);
    std::vector<bool> row_is_exact(batch.requests.size(), is_exact());
    if (is_exact() || is_finite(made.latents)) return {batch, std::move(made), row_is_exact};
    spdlog::info("Pictures {} to {}: not finite in {}, so they are computed again in fp32",
                 batch.first + 1, batch.first + batch.count, precision_name(target.dtype));
    const Denoised again =
        exact_denoiser(batch.requests.front().settings.loras)
            .denoise(batch, initial_latents, contexts, background, nullptr, stay_alive);
    // Its neighbours stay what they are without it.
    std::vector<at::Tensor> rows;
    for (std::size_t row = 0; row < row_is_exact.size(); ++row) {
      const auto at = static_cast<std::int64_t>(row);
      row_is_exact[row] = !is_finite(made.latents.narrow(0, at, 1));
      rows.push_back((row_is_exact[row] ? again : made).latents.narrow(0, at, 1));
    }
    made.latents = at::cat(rows);
    return {batch, std::move(made), row_is_exact};
  }

  /// A picture of a batch, decoded; the start image shows where its mask is black.
  /// @throws NotFiniteError.
  GeneratedImage decode(const MadeBatch& made, std::size_t row,
                        const EmbeddingTable& embeddings) const {
    const std::vector<ImageRequest>& requests = made.batch.requests;
    const bool row_is_exact = made.row_is_exact[row];
    const ImageSettings& settings = requests[row].settings;
    const std::shared_ptr<const PreparedStart>& start = made.denoised.start;
    const at::Tensor one = made.denoised.latents.narrow(0, static_cast<std::int64_t>(row), 1);
    const int side = settings.tile ? 0 : decoder.find_side(one, settings);
    const at::Tensor pixels =
        is_finite(one) ? decoder.decode(one, settings, side, row_is_exact) : one;
    if (!is_finite(pixels)) {
      PromptCache texts;  // the generator's is not for two threads
      throw NotFiniteError(describe_not_finite(requests[row], embeddings, texts));
    }
    const Image image = to_image(pixels);
    const bool is_pasted = start && settings.hires.scale == 1;
    return {is_pasted ? pasted(image, *start) : image,
            {{static_cast<int>(requests.size()), static_cast<int>(row)},
             row_is_exact ? at::kFloat : target.dtype,
             side * info().vae_factor},
            one.cpu()};
  }

  /// Decodes the pictures of a batch and passes them on, refined and enlarged.
  /// @param refine changes the picture of a request; empty: nothing does
  void finish(const MadeBatch& made, const EmbeddingTable& embeddings,
              const std::function<void(GeneratedImage&, std::size_t request)>& refine,
              const ImageConsumer& consume) const {
    const at::NoGradGuard no_grad_here;  // in a thread of its own, mostly
    const Stopwatch stopwatch;
    const Batch& batch = made.batch;
    for (std::size_t i = 0; i < batch.count; ++i) {
      const std::size_t row = batch.first_row + i;
      GeneratedImage image = decode(made, row, embeddings);
      if (refine) refine(image, batch.first + i);
      enlarge(image, batch.requests[row].settings.upscale);
      consume(batch.first + i, image);
    }
    spdlog::debug("Pictures {} to {}: decoded and passed on in {:.2f} s", batch.first + 1,
                  batch.first + batch.count, stopwatch.seconds());
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
  BatchDenoiser denoiser;
  FaceRefiner refiner;
  PassMemory memory;
  mutable PromptCache prompts;  ///< checked first, made later
  ComputeTarget target;
  Batches batches;
  mutable std::unique_ptr<Exact> exact;
  std::unique_ptr<const Previewer> previewer;  ///< null: nobody looks
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
    const Impl::MadeBatch made = impl.make(
        batch, initial_latents, contexts, background,
        [&] {
          done += static_cast<int>(batch.count);
          if (observe) observe(done, total);
        },
        [&] {
          if (observe) observe(done, total);
        });
    spdlog::debug("Pictures {} to {} of {}: text and {} steps of all together in {:.2f} s",
                  batch.first + 1, batch.first + batch.count, requests.size(),
                  steps_to_take(batch.requests.front().settings, impl.schedule),
                  stopwatch.seconds());
    if (!batch.requests.front().settings.faces.refine) {
      background.run(
          [&impl, &embeddings, &consume, made] { impl.finish(made, embeddings, {}, consume); });
      continue;
    }
    background.wait();
    const PreparedStart* start = made.denoised.start.get();
    const auto refine = [&](GeneratedImage& image, std::size_t index) {
      const int face_steps = impl.count_face_steps(requests[index].settings);
      refine_faces(image, requests[index], embeddings, "Picture " + std::to_string(index + 1),
                   start && start->mask ? &*start->mask : nullptr, [&](double share) {
                     if (observe) observe(done + static_cast<int>(share * face_steps), total);
                   });
      done += face_steps;
      if (observe) observe(done, total);
    };
    impl.finish(made, embeddings, refine, consume);
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
