#include "sdx/model/tiny_autoencoder.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/upsample_nearest2d.h>

#include <system_error>
#include <utility>

#include "model/tiny_autoencoder_weights.h"
#include "sdx/device/transfer.h"
#include "sdx/model/model_folders.h"
#include "sdx/util/error.h"
#include "sdx/util/text.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

/// Latents are bent into −3 … 3, so that no value of the UNet's runs away.
constexpr double kLatentLimit = 3;

at::Tensor convolved(const at::Tensor& map, const TinyConvolution& by, std::int64_t stride = 1) {
  return at::conv2d(map, by.weight, by.bias, stride, 1);
}

at::Tensor run_block(const at::Tensor& input, const TinyBlock& block) {
  at::Tensor map = input;
  for (std::size_t i = 0; i < block.convolutions.size(); ++i) {
    map = convolved(i == 0 ? map : at::relu(map), block.convolutions[i]);
  }
  return at::relu(map + (block.skip.defined() ? at::conv2d(input, block.skip) : input));
}

/// The file of weights in a folder of diffusers; a file is itself.
fs::path find_weights(const fs::path& place, const std::string& setting) {
  std::error_code ignored;
  if (!fs::is_directory(place, ignored)) return place;
  for (const char* ending : {".safetensors", ".fp16.safetensors", ".bin"}) {
    const fs::path file = place / (kTinyWeightsName + std::string(ending));
    if (fs::exists(file, ignored)) return file;
  }
  throw DataError("`" + setting + "` " + place.string() + ": no folder of a tiny autoencoder: " +
                  kTinyWeightsName + ".safetensors is not in it");
}

}  // namespace

struct TinyAutoencoder::Impl {
  TinyAutoencoderWeights weights;
  c10::Device device;

  at::Tensor enter(const at::Tensor& values) const {
    // Convolutions of this form are the quicker ones on a processor.
    return to_device(values, device).to(at::kFloat).contiguous(at::MemoryFormat::ChannelsLast);
  }
};

TinyAutoencoder::TinyAutoencoder(const fs::path& file, c10::Device device)
    : impl_(std::make_unique<Impl>(Impl{read_tiny_autoencoder(file, device), device})) {}

TinyAutoencoder::~TinyAutoencoder() = default;
TinyAutoencoder::TinyAutoencoder(TinyAutoencoder&&) noexcept = default;
TinyAutoencoder& TinyAutoencoder::operator=(TinyAutoencoder&&) noexcept = default;

int TinyAutoencoder::latent_channels() const { return impl_->weights.latent_channels; }
int TinyAutoencoder::factor() const { return impl_->weights.factor; }
bool TinyAutoencoder::has_encoder() const { return impl_->weights.encoder.has_value(); }

at::Tensor TinyAutoencoder::decode(const at::Tensor& latents) const {
  if (latents.dim() != 4 || latents.size(1) != latent_channels()) {
    throw InternalError("TinyAutoencoder::decode: expected latents [B," +
                        std::to_string(latent_channels()) + ",h,w]");
  }
  const at::NoGradGuard no_grad;
  at::Tensor map = at::tanh(impl_->enter(latents) / kLatentLimit) * kLatentLimit;
  bool is_first = true;
  for (const auto& layer : impl_->weights.decoder) {
    if (const auto* const block = std::get_if<TinyBlock>(&layer)) {
      map = run_block(map, *block);
      continue;
    }
    const auto& convolution = std::get<TinyConvolution>(layer);
    if (convolution.changes_size()) {
      map = at::upsample_nearest2d(map, {2 * map.size(2), 2 * map.size(3)});
    }
    map = convolved(map, convolution);
    if (std::exchange(is_first, false)) map = at::relu(map);
  }
  return (map * 2 - 1).contiguous();
}

at::Tensor TinyAutoencoder::encode(const at::Tensor& images) const {
  if (!has_encoder()) throw InternalError("TinyAutoencoder::encode: there is no encoder");
  if (images.dim() != 4 || images.size(1) != 3 || images.size(2) % factor() != 0 ||
      images.size(3) % factor() != 0) {
    throw InternalError(
        "TinyAutoencoder::encode: expected images [B,3,H,W] with H and W divisible by " +
        std::to_string(factor()));
  }
  const at::NoGradGuard no_grad;
  at::Tensor map = (impl_->enter(images) + 1) / 2;
  for (const auto& layer : *impl_->weights.encoder) {
    if (const auto* const block = std::get_if<TinyBlock>(&layer)) {
      map = run_block(map, *block);
    } else {
      const auto& convolution = std::get<TinyConvolution>(layer);
      map = convolved(map, convolution, convolution.changes_size() ? 2 : 1);
    }
  }
  return map.contiguous();
}

fs::path find_tiny_autoencoder(const std::string& name, const std::string& setting) {
  std::error_code ignored;
  if (!name.empty() && fs::exists(name, ignored)) return find_weights(name, setting);
  const std::string file = fs::path(name).filename().string();
  std::vector<std::string> folders;
  for (const fs::path& folder : list_model_folders()) {
    for (const char* ending : {"", ".safetensors", ".pth"}) {
      const fs::path candidate = folder / (file + ending);
      if (!file.empty() && fs::exists(candidate, ignored)) return find_weights(candidate, setting);
    }
    folders.push_back(folder.string());
  }
  throw MissingInputError("`" + setting + "` " + name + ": no such file, nor one of this name in " +
                          join(folders, ", "));
}

}  // namespace sdx
