#include "sdx/generation/generator.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>

#include <algorithm>

#include "sdx/image/convert.h"
#include "sdx/model/text_encoder.h"
#include "sdx/model/unet.h"
#include "sdx/model/vae.h"
#include "sdx/prompt/prompt.h"
#include "sdx/tensor/noise.h"
#include "sdx/util/error.h"

namespace sdx {

namespace {

/// What a generator that is on its own loads for itself.
struct OwnParts {
  OwnParts(const Bundle& bundle, const ComputeTarget& target)
      : tokenizer(bundle.load_tokenizer()),
        text_encoder(bundle, target.device),
        unet(bundle, target) {}

  std::unique_ptr<Tokenizer> tokenizer;
  TextEncoder text_encoder;
  UNet unet;
};

}  // namespace

struct Generator::Impl {
  Impl(const Bundle& bundle, const ComputeTarget& where, const Tokenizer& given_tokenizer,
       const TextEncoder& given_text_encoder, const UNet& given_unet)
      : info(bundle.info()),
        schedule(bundle.info().noise_schedule),
        tokenizer(given_tokenizer),
        text_encoder(given_text_encoder),
        unet(given_unet),
        decoder(bundle, where),
        target(where) {}

  Impl(const Bundle& bundle, const ComputeTarget& where, std::unique_ptr<OwnParts> parts)
      : Impl(bundle, where, *parts->tokenizer, parts->text_encoder, parts->unet) {
    own_parts = std::move(parts);
  }

  int width_px(const GenerationOptions& options) const {
    return options.width_px > 0 ? options.width_px : info.native_size_px;
  }
  int height_px(const GenerationOptions& options) const {
    return options.height_px > 0 ? options.height_px : info.native_size_px;
  }

  at::Tensor encode(const std::vector<std::string>& texts, const EmbeddingTable& embeddings) const {
    std::vector<TokenizedPrompt> prompts;
    for (const std::string& text : texts) {
      prompts.push_back(tokenize_prompt(text, tokenizer, embeddings));
    }
    return encode_prompts(prompts, tokenizer, embeddings, text_encoder);
  }

  /// What the UNet attends to for a batch: the negative prompts, then the prompts ([2B,S,W]);
  /// without guidance the prompts alone ([B,S,W]).
  at::Tensor context(const std::vector<ImageRequest>& batch, bool guided,
                     const EmbeddingTable& embeddings) const {
    std::vector<std::string> texts;
    if (guided) {
      for (const ImageRequest& request : batch) texts.push_back(request.negative_prompt);
    }
    for (const ImageRequest& request : batch) texts.push_back(request.prompt);
    return encode(texts, embeddings);
  }

  at::Tensor guided_output(const at::Tensor& sample, int timestep, const at::Tensor& context,
                           double guidance_scale) const {
    const bool guided = context.size(0) == 2 * sample.size(0);
    const at::Tensor input = guided ? at::cat({sample, sample}) : sample;
    const at::Tensor timesteps = at::full({input.size(0)}, timestep, at::kLong);
    const at::Tensor output = unet.forward(input, timesteps, context);
    if (!guided) return output;
    const auto halves = output.chunk(2);
    return halves[0] + (halves[1] - halves[0]) * guidance_scale;
  }

  BundleInfo info;
  NoiseSchedule schedule;
  std::unique_ptr<OwnParts> own_parts;
  const Tokenizer& tokenizer;
  const TextEncoder& text_encoder;
  const UNet& unet;
  VaeDecoder decoder;
  ComputeTarget target;
};

Generator::Generator(const Bundle& bundle, const ComputeTarget& target)
    : impl_(std::make_unique<Impl>(bundle, target, std::make_unique<OwnParts>(bundle, target))) {}

Generator::Generator(const Bundle& bundle, const ComputeTarget& target, const Tokenizer& tokenizer,
                     const TextEncoder& text_encoder, const UNet& unet)
    : impl_(std::make_unique<Impl>(bundle, target, tokenizer, text_encoder, unet)) {}

Generator::~Generator() = default;

void Generator::check(const std::vector<ImageRequest>& requests, const GenerationOptions& options,
                      const EmbeddingTable& embeddings) const {
  const int width_px = impl_->width_px(options);
  const int height_px = impl_->height_px(options);
  const int factor = impl_->info.vae_factor;
  if (width_px % factor != 0 || height_px % factor != 0) {
    const auto down = [factor](int value) { return std::max(value / factor, 1) * factor; };
    throw UsageError("--size " + std::to_string(width_px) + "x" + std::to_string(height_px) +
                     ": both sides must be divisible by " + std::to_string(factor) + "; try " +
                     std::to_string(down(width_px)) + "x" + std::to_string(down(height_px)));
  }
  sampling_points(impl_->schedule, options.sampler, options.steps);
  for (const ImageRequest& request : requests) {
    for (const std::string& text : {request.prompt, request.negative_prompt}) {
      for (const PromptChunk& chunk : tokenize_prompt(text, impl_->tokenizer, embeddings).chunks) {
        for (const Splice& splice : chunk.splices) {
          check_width(embeddings.at(splice.name), impl_->info.text_width);
        }
      }
    }
  }
}

void Generator::generate(const std::vector<ImageRequest>& requests,
                         const GenerationOptions& options, const EmbeddingTable& embeddings,
                         const ImageConsumer& consume, const StepObserver& observe,
                         const std::optional<at::Tensor>& initial_latents) const {
  check(requests, options, embeddings);
  const at::NoGradGuard no_grad;
  const int height = impl_->height_px(options) / impl_->info.vae_factor;
  const int width = impl_->width_px(options) / impl_->info.vae_factor;
  const int channels = impl_->info.latent_channels;
  const auto count = static_cast<std::int64_t>(requests.size());
  if (initial_latents &&
      initial_latents->sizes() != at::IntArrayRef({count, channels, height, width})) {
    throw DataError("--latents: expected " + std::to_string(count) + " × " +
                    std::to_string(channels) + " × " + std::to_string(height) + " × " +
                    std::to_string(width) + " values, one set for each picture");
  }

  const auto batch_size = static_cast<std::size_t>(std::max(options.batch_size, 1));
  const std::size_t batches = (requests.size() + batch_size - 1) / batch_size;
  const int total_steps = static_cast<int>(batches) * options.steps;
  int steps_done = 0;
  for (std::size_t first = 0; first < requests.size(); first += batch_size) {
    const std::size_t last = std::min(first + batch_size, requests.size());
    const std::vector<ImageRequest> batch(requests.begin() + static_cast<std::ptrdiff_t>(first),
                                          requests.begin() + static_cast<std::ptrdiff_t>(last));
    std::vector<at::Tensor> starts;
    for (std::size_t i = first; i < last; ++i) {
      starts.push_back(initial_latents ? initial_latents->narrow(0, static_cast<std::int64_t>(i), 1)
                                       : seed_latents(requests[i].seed, channels, height, width));
    }
    const at::Tensor context = impl_->context(batch, options.guidance_scale != 1, embeddings);
    Sampler sampler(options.sampler, impl_->schedule.config().prediction_type,
                    sampling_points(impl_->schedule, options.sampler, options.steps));
    at::Tensor sample = at::cat(starts).to(impl_->target.device);
    for (int step = 0; step < sampler.steps(); ++step) {
      const at::Tensor output = impl_->guided_output(sample, sampler.point(step).timestep, context,
                                                     options.guidance_scale);
      sample = sampler.advance(step, sample, output);
      if (observe) observe(++steps_done, total_steps);
    }
    for (std::size_t i = first; i < last; ++i) {
      const at::Tensor latents = sample.narrow(0, static_cast<std::int64_t>(i - first), 1);
      consume(i, {to_image(impl_->decoder.decode(latents)), latents.cpu()});
    }
  }
}

at::Tensor seed_latents(std::uint64_t seed, int channels, int height, int width) {
  RandomStream stream(seed, RandomPurpose::kInitialLatents);
  return normal_noise({1, channels, height, width}, stream);
}

}  // namespace sdx
