#include "sdx/dataset/latents.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/ones.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <span>
#include <string>

#include "sdx/image/convert.h"
#include "sdx/tensor/safetensors.h"
#include "sdx/util/error.h"
#include "sdx/util/sha256.h"

namespace sdx {

namespace {

constexpr const char* kContentKey = "sdx.content";
constexpr const char* kMirrored = ".mirrored";
constexpr std::string_view kMirroredMean = ".mirrored.mean";

// The ellipse around face and hair, in widths and heights of the face's box.
constexpr double kHalfWidth = 0.95;
constexpr double kHalfHeight = 0.95;
constexpr double kRaised = 0.15;  // there is hair above a face, and no more than a neck below
constexpr double kSoftEnd = 1.5;  // where the fall ends, in radii
constexpr double kOutside = 0.1;

/// SHA-256 of all names and values: safetensors itself does not notice a flipped bit.
std::string content_hash(const TensorMap& tensors) {
  std::string hashes;
  for (const auto& [name, tensor] : tensors) {
    const at::Tensor values = tensor.contiguous();
    const auto* bytes = static_cast<const std::byte*>(values.const_data_ptr());
    hashes += name + sha256_hex(std::span(bytes, values.nbytes()));
  }
  return sha256_hex(hashes);
}

TensorMap read_cache(const std::filesystem::path& file, std::string& problem) {
  std::error_code ignored;
  if (file.empty() || !std::filesystem::exists(file, ignored)) return {};
  try {
    const Safetensors cache = map_safetensors(file);
    const auto hash = cache.metadata.find(kContentKey);
    if (hash == cache.metadata.end() || hash->second != content_hash(cache.tensors)) {
      throw DataError(file.string() + ": its content is not what was written");
    }
    return cache.tensors;
  } catch (const Error& error) {
    problem = error.what();
    return {};
  }
}

/// Everything that latents depend on but the picture.
std::string vae_key(const Bundle& bundle, const ComputeTarget& target) {
  std::string key =
      std::string(c10::toString(target.dtype)) + " " + std::to_string(bundle.info().latent_scale);
  for (const auto& [file, hash] : bundle.info().sha256) {
    if (file.starts_with("vae.") || file.starts_with("vae_encoder.")) key += " " + hash;
  }
  return key;
}

std::string cache_key(const Portrait& portrait, const std::string& vae, bool is_mirrored) {
  const std::string pixels = sha256_hex(std::as_bytes(std::span(portrait.image.rgb)));
  return sha256_hex(pixels + " " + std::to_string(portrait.image.width_px) + " " + vae) +
         (is_mirrored ? kMirrored : "");
}

/// Latents from the cache or, once it is needed, from the VAE.
class CachedEncoder {
 public:
  CachedEncoder(const Bundle& bundle, const ComputeTarget& target, std::filesystem::path file)
      : bundle_(bundle),
        target_(target),
        vae_(vae_key(bundle, target)),
        file_(std::move(file)),
        cached_(read_cache(file_, problem_)) {}

  LatentDistribution encode(const Portrait& portrait, bool is_mirrored) {
    const std::string key = cache_key(portrait, vae_, is_mirrored);
    const auto mean = cached_.find(key + ".mean");
    const auto deviation = cached_.find(key + ".deviation");
    LatentDistribution latents;
    if (mean != cached_.end() && deviation != cached_.end()) {
      latents = {mean->second, deviation->second};
    } else {
      latents = compute(portrait, is_mirrored);
      if (!is_mirrored && !cached_.empty()) {
        new_files_.push_back(portrait.file.filename().string());
      }
    }
    used_[key + ".mean"] = latents.mean;
    used_[key + ".deviation"] = latents.deviation;
    return latents;
  }

  void save() const {
    if (file_.empty() || (encoded_ == 0 && used_.size() == cached_.size())) return;
    write_safetensors(file_, used_, {{kContentKey, content_hash(used_)}});
  }

  int encoded() const { return encoded_; }
  const std::vector<std::string>& new_files() const { return new_files_; }

  /// How many portraits of the cache were not asked for.
  int count_gone() const {
    return static_cast<int>(std::count_if(cached_.begin(), cached_.end(), [this](const auto& one) {
      const bool is_portrait = one.first.ends_with(".mean") && !one.first.ends_with(kMirroredMean);
      return is_portrait && !used_.contains(one.first);
    }));
  }
  const std::string& problem() const { return problem_; }

 private:
  LatentDistribution compute(const Portrait& portrait, bool is_mirrored) {
    if (!encoder_) encoder_.emplace(bundle_, target_);
    const at::Tensor image = to_tensor(portrait.image);
    const LatentDistribution latents = encoder_->encode(is_mirrored ? image.flip({3}) : image);
    ++encoded_;
    return {latents.mean.cpu().contiguous(), latents.deviation.cpu().contiguous()};
  }

  const Bundle& bundle_;
  ComputeTarget target_;
  std::string vae_;
  std::filesystem::path file_;
  std::string problem_;
  TensorMap cached_;
  TensorMap used_;
  std::optional<VaeEncoder> encoder_;
  int encoded_ = 0;
  std::vector<std::string> new_files_;
};

double ellipse_weight(double radius) {
  const double far = std::clamp((radius - 1) / (kSoftEnd - 1), 0.0, 1.0);
  return 1 - (1 - kOutside) * far * far * (3 - 2 * far);
}

}  // namespace

at::Tensor face_mask(const Portrait& portrait, int vae_factor) {
  const int side = portrait.image.width_px / vae_factor;
  at::Tensor mask = at::ones({1, 1, side, side}, at::kFloat);
  if (!portrait.face) return mask;
  const Rect box = in_square(portrait, portrait.face->box);
  const double middle_x = box.x_px + box.width_px / 2.0;
  const double middle_y = box.y_px + box.height_px * (0.5 - kRaised);
  const auto weight_at = [&](int x_px, int y_px) {
    return ellipse_weight(std::hypot((x_px + 0.5 - middle_x) / (kHalfWidth * box.width_px),
                                     (y_px + 0.5 - middle_y) / (kHalfHeight * box.height_px)));
  };
  auto* values = mask.mutable_data_ptr<float>();
  for (int i = 0; i < side * side; ++i) {
    double sum = 0;
    for (int p = 0; p < vae_factor * vae_factor; ++p) {
      sum +=
          weight_at(i % side * vae_factor + p % vae_factor, i / side * vae_factor + p / vae_factor);
    }
    values[i] = static_cast<float>(sum / (vae_factor * vae_factor));
  }
  return mask;
}

ImagePlace describe_place(const Portrait& portrait, bool is_mirrored) {
  const Rect& area = portrait.area;
  const double scale = static_cast<double>(portrait.image.width_px) / area.width_px;
  const auto cut_off = [scale](int length_px) {
    return static_cast<int>(std::lround(std::max(0, length_px) * scale));
  };
  const int right_px = portrait.width_px - area.x_px - area.width_px;
  return {{portrait.width_px, portrait.height_px},
          cut_off(area.y_px),
          cut_off(is_mirrored ? right_px : area.x_px),
          {portrait.image.width_px, portrait.image.height_px}};
}

PortraitLatents encode_portraits(const std::vector<Portrait>& portraits, const Bundle& bundle,
                                 const ComputeTarget& target, const LatentOptions& options,
                                 const std::filesystem::path& cache_file) {
  const at::NoGradGuard no_grad;
  CachedEncoder encoder(bundle, target, cache_file);
  std::vector<at::Tensor> means;
  std::vector<at::Tensor> deviations;
  std::vector<at::Tensor> masks;
  std::vector<at::Tensor> size_ids;
  for (const Portrait& portrait : portraits) {
    if (!portrait.used()) continue;
    for (const bool is_mirrored : {false, true}) {
      if (is_mirrored && !options.mirror) continue;
      const LatentDistribution latents = encoder.encode(portrait, is_mirrored);
      means.push_back(latents.mean);
      deviations.push_back(latents.deviation);
      size_ids.push_back(make_size_ids(describe_place(portrait, is_mirrored), 1));
      if (!options.mask_face) continue;
      const at::Tensor mask = face_mask(portrait, bundle.info().vae_factor);
      masks.push_back(is_mirrored ? mask.flip({3}) : mask);
    }
  }
  encoder.save();
  PortraitLatents result{{at::cat(means), at::cat(deviations)},
                         {},
                         encoder.encoded(),
                         encoder.new_files(),
                         encoder.count_gone(),
                         encoder.problem(),
                         bundle.info().size_ids ? at::cat(size_ids) : at::Tensor()};
  if (options.mask_face) result.mask = at::cat(masks);
  return result;
}

}  // namespace sdx
