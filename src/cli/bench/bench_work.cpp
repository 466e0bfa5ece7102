#include "cli/bench/bench_work.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/randn.h>
#include <unistd.h>

#include <filesystem>
#include <memory>

#include "cli/bench/bench_ceiling.h"
#include "cli/bench/bench_start.h"
#include "sdx/generation/generator.h"
#include "sdx/generation/guidance.h"
#include "sdx/generation/image_size.h"
#include "sdx/image/png.h"
#include "sdx/model/vae.h"
#include "sdx/training/inversion.h"
#include "sdx/util/memory.h"

namespace sdx {

namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kCopiedBytes = std::int64_t{1} << 29;
constexpr int kPortraits = 4;

/// A model and where it computes, without any of its parts.
struct BenchSetup {
  explicit BenchSetup(const BenchOptions& options)
      : bundle(Bundle::find(options.model)),
        target(read_target(options)),
        size_px(options.size_px > 0 ? options.size_px : bundle.info().native_size_px),
        latent_side(size_px / bundle.info().vae_factor) {
    request.prompt = "a portrait of a person in a garden, oil painting";
    request.negative_prompt = "blurry, low quality";
    request.settings.width_px = size_px;
    request.settings.height_px = size_px;
    request.settings.sampler.steps = options.steps;
    request.settings.guidance_scale = bundle.info().advice.guidance_scale;
  }

  at::Tensor random_latents(std::int64_t rows) const {
    return at::randn({rows, bundle.info().latent_channels, latent_side, latent_side});
  }

  ImageSize image_size() const { return {size_px, size_px}; }

  Bundle bundle;
  ComputeTarget target;
  int size_px;
  int latent_side;
  ImageRequest request;
};

/// The parts that text and UNet need.
struct Denoiser : BenchSetup {
  Denoiser(const BenchOptions& options, ModelUse use)
      : BenchSetup(options),
        tokenizer(bundle.load_tokenizer()),
        text_encoders(bundle, target.device),
        unet(bundle, target, use) {}

  std::unique_ptr<Tokenizer> tokenizer;
  TextEncoders text_encoders;
  UNet unet;
};

/// Waits for what a device computes.
void finish(const at::Tensor& result) { result.flatten()[0].item<float>(); }

Json ceiling(const ComputeTarget& target) {
  Json answer;
  for (const c10::ScalarType dtype : ceiling_types(target)) {
    answer[std::string(precision_name(dtype)) + "_tflop_per_s"] =
        best_product_rate(target.device, dtype, ceiling_shapes(target.device));
  }
  answer["copy_gb_per_s"] = best_copy_rate(target.device, kCopiedBytes);
  return answer;
}

BenchWork text_work(const BenchOptions& options) {
  struct State : BenchSetup {
    explicit State(const BenchOptions& from)
        : BenchSetup(from), tokenizer(bundle.load_tokenizer()), encoders(bundle, target.device) {}
    std::unique_ptr<Tokenizer> tokenizer;
    TextEncoders encoders;
  };
  const auto state = std::make_shared<State>(options);
  return [state]() -> Json {
    const at::NoGradGuard no_grad;
    const EmbeddingTable no_words;
    PromptCache prompts;
    ContextCache contexts(*state->tokenizer, no_words, state->encoders, prompts);
    const Grammar grammar = state->request.settings.grammar;
    for (const std::string& text : {state->request.prompt, state->request.negative_prompt}) {
      finish(contexts.conditioning(parse_text(text, grammar), 1, state->image_size()).context);
    }
    return {};
  };
}

BenchWork unet_work(const BenchOptions& options) {
  struct State : Denoiser {
    explicit State(const BenchOptions& from)
        : Denoiser(from, ModelUse::kInference),
          contexts(*tokenizer, no_words, text_encoders, prompts),
          guidance({request}, {request.settings.sampler.steps, 0}, 0, image_size(), unet, contexts,
                   make_nothing_beside({0, latent_side, latent_side}, bundle.info())),
          sample(random_latents(1).to(target.device)) {
      const at::NoGradGuard no_grad;
      for (const std::string& text : {request.prompt, request.negative_prompt}) {
        contexts.conditioning(parse_text(text, request.settings.grammar),
                              request.settings.clip_skip, image_size());
      }
    }
    EmbeddingTable no_words;
    PromptCache prompts;
    ContextCache contexts;
    Guidance guidance;
    at::Tensor sample;
  };
  const auto state = std::make_shared<State>(options);
  return [state]() -> Json {
    const at::NoGradGuard no_grad;
    finish(state->guidance.predict(state->sample, 500, 0));
    return {};
  };
}

BenchWork vae_work(const BenchOptions& options) {
  struct State : BenchSetup {
    explicit State(const BenchOptions& from) : BenchSetup(from), decoder(bundle, target) {}
    VaeDecoder decoder;
  };
  const auto state = std::make_shared<State>(options);
  return [state]() -> Json {
    const at::NoGradGuard no_grad;
    finish(state->decoder.decode(state->random_latents(1).to(state->target.device)));
    return {};
  };
}

BenchWork write_work(const BenchOptions& options) {
  const BenchSetup place(options);
  // A slope with some grain compresses about as a painting does.
  Image image(place.size_px, place.size_px);
  for (std::size_t i = 0; i < image.rgb.size(); ++i) {
    image.rgb[i] = static_cast<std::uint8_t>(i / 3 / 64 + i * 2654435761U % 7);
  }
  const fs::path file =
      fs::temp_directory_path() / ("sdx-bench-" + std::to_string(::getpid()) + ".png");
  return [image, file]() -> Json {
    write_png(file, image);
    fs::remove(file);
    return {};
  };
}

BenchWork image_work(const BenchOptions& options) {
  struct State : BenchSetup {
    explicit State(const BenchOptions& from) : BenchSetup(from), generator(bundle, target) {}
    Generator generator;
  };
  const auto state = std::make_shared<State>(options);
  return [state]() -> Json {
    state->generator.generate({state->request}, {}, {}, [](std::size_t, const GeneratedImage&) {});
    return {};
  };
}

/// A word that is learnt from random latents: to the arithmetic they are as good as any.
struct TrainingStep : Denoiser {
  explicit TrainingStep(const BenchOptions& options)
      : Denoiser(options, ModelUse::kTraining),
        inversion({bundle, *tokenizer, text_encoders, unet},
                  {{random_latents(kPortraits), random_latents(kPortraits).abs()}},
                  {"a photo of {name}", "{name}, smiling"}, inversion_options()) {
    memory.keep();
  }

  static InversionOptions inversion_options() {
    InversionOptions options;
    options.name = "Benchperson";
    options.vectors = 1;
    options.batch_size = 1;
    return options;
  }

  Inversion inversion;
  FreedMemory memory;
};

BenchWork load_work(const BenchOptions& options) {
  return [options]() -> Json {
    const BenchSetup place(options);
    const Generator generator(place.bundle, place.target);
    return {};
  };
}

BenchWork start_work(const BenchOptions& options) {
  const BenchSetup place(options);
  Json measured = measure_start(place.bundle, place.target, place.request);
  return [measured] { return measured; };
}

}  // namespace

BenchWork prepare_work(BenchPhase phase, const BenchOptions& options) {
  switch (phase) {
    case BenchPhase::kCeiling:
      return [target = read_target(options)] { return ceiling(target); };
    case BenchPhase::kStart:
      return start_work(options);
    case BenchPhase::kLoad:
      return load_work(options);
    case BenchPhase::kText:
      return text_work(options);
    case BenchPhase::kUnet:
      return unet_work(options);
    case BenchPhase::kVae:
      return vae_work(options);
    case BenchPhase::kWrite:
      return write_work(options);
    case BenchPhase::kImage:
      return image_work(options);
    case BenchPhase::kStep:
      return [learning = std::make_shared<TrainingStep>(options)]() -> Json {
        learning->inversion.step();
        return {};
      };
    case BenchPhase::kEvaluation:
      return [learning = std::make_shared<TrainingStep>(options)]() -> Json {
        learning->inversion.fixed_batch_loss();
        return {};
      };
  }
  return {};
}

}  // namespace sdx
