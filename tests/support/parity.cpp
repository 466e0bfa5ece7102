#include "support/parity.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>

#include "sdx/model/text_encoder.h"
#include "sdx/model/unet.h"
#include "sdx/model/vae.h"
#include "support/tiny_bundle.h"

#include "support/catch.h"

namespace sdx::test {

namespace {

constexpr double kBound = 1e-4;

struct Size {
  const char* name;
  std::int64_t batch;
  std::int64_t height;
  std::int64_t width;
};

const std::vector<Size> kTinySizes = {{"square", 1, 8, 8}, {"wide", 3, 8, 12}, {"odd", 2, 7, 9}};
const std::vector<Size> kFullSizes = {
    {"square", 1, 32, 32}, {"wide", 2, 16, 24}, {"three", 3, 8, 16}};

void check(const std::string& key, const at::Tensor& found, const SyntheticModel& model) {
  const at::Tensor& expected = model.golden().at(key);
  const bool thinned = expected.dim() == 1;
  const std::int64_t every = model.kept_every(key.substr(0, key.find('.')));
  const double difference =
      max_difference(thinned ? found.flatten().slice(0, 0, std::nullopt, every) : found, expected);
  INFO(key << " differs by at most " << difference);
  CHECK(difference < kBound);
}

/// Sizes that an SDXL is told of, as in scripts/parity/sdxl.py.
at::Tensor size_ids(std::int64_t rows) {
  return at::tensor({1024, 1024, 0, 0, 1024, 1024, 768, 1333, 16, 0, 832, 1216, 300, 512, 0, 40,
                     1536, 640},
                    at::kFloat)
      .reshape({3, 6})
      .slice(0, 0, rows);
}

/// The encoders of an SDXL: each layer but the last one, and the second's pooled vector, which is
/// that of the first end token.
void check_encoders_of_xl(const Bundle& bundle, const SyntheticModel& model) {
  at::Tensor ids = (at::arange(2 * 77, at::kLong).reshape({2, 77}) * 631 + 11) % 49400;
  for (const auto& [row, place] : {std::pair{0, 20}, {0, 30}, {1, 76}}) ids[row][place] = 49407;
  const at::Tensor ends = at::tensor({20, 76}, at::kLong);
  for (std::size_t index = 0; index < 2; ++index) {
    const TextEncoder encoder(bundle, c10::DeviceType::CPU, index);
    const std::string name = index == 0 ? "text" : "text_2";
    const int layers = model.config(index == 0 ? "text_encoder" : "text_encoder_2")
                           .at("num_hidden_layers")
                           .get<int>();
    CHECK(encoder.info().layers == layers - 1);
    CHECK(encoder.has_pooled() == (index == 1));
    for (int skip = 0; skip < layers - 1; ++skip) {
      const std::string key = name + "." + std::to_string(skip);
      if (index == 0) {
        check(key, encoder.encode(encoder.embed(ids), skip), model);
      } else {
        const EncodedText text = encoder.encode_pooled(encoder.embed(ids), ends, skip);
        check(key, text.output, model);
        check("text_2.pooled", text.pooled, model);
      }
    }
  }
}

}  // namespace

void check_parity(const Bundle& bundle, const SyntheticModel& model, bool full_size) {
  const at::NoGradGuard no_grad;
  if (model.is_xl()) {
    check_encoders_of_xl(bundle, model);
  } else {
    const TextEncoder encoder(bundle, c10::DeviceType::CPU);
    const at::Tensor ids = (at::arange(2 * 77, at::kLong).reshape({2, 77}) * 631 + 11) % 49400;
    for (int skip = 0; skip < bundle.info().text_layers(); ++skip) {
      check("text." + std::to_string(skip), encoder.encode(encoder.embed(ids), skip), model);
    }
  }
  {
    const UNet unet(bundle, {});
    const at::Tensor timesteps = at::tensor({981, 500, 3}, at::kLong);
    for (const Size& size : full_size ? kFullSizes : kTinySizes) {
      const std::string name = size.name;
      const auto context =
          synthetic_noise(name + ".context", {size.batch, 77, bundle.info().context_width()});
      const auto sample =
          synthetic_noise(name + ".sample", {size.batch, 4, size.height, size.width});
      Conditioning conditioning = {context};
      if (model.is_xl()) {
        const int pooled_width = bundle.info().text_encoders.back().width;
        conditioning.pooled = synthetic_noise(name + ".pooled", {size.batch, pooled_width});
        conditioning.size_ids = size_ids(size.batch);
      }
      check("unet." + name, unet.forward(sample, timesteps.slice(0, 0, size.batch), conditioning),
            model);
    }
  }
  const double scale = bundle.info().latent_scale;
  const LatentDistribution latents =
      VaeEncoder(bundle, {}).encode(synthetic_noise("image", {1, 3, 64, 96}) * 0.5);
  // As the reference has them: mean and log-variance, not scaled.
  check("vae.moments", at::cat({latents.mean / scale, (latents.deviation / scale).log() * 2}, 1),
        model);
  check("vae.decoded",
        VaeDecoder(bundle, {}).decode(synthetic_noise("latents", {1, 4, 8, 12}) * scale), model);
}

}  // namespace sdx::test
