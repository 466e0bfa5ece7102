#include "sdx/generation/feature_reuse.h"

#include <algorithm>

namespace sdx {

bool FeatureReuse::has_seen(const std::vector<Conditioning>& conditionings) const {
  return std::ranges::equal(
      conditionings, conditionings_,
      [](const Conditioning& a, const Conditioning& b) { return a.is_same(b); });
}

void FeatureReuse::begin(const std::vector<Conditioning>& conditionings,
                         const std::vector<std::int64_t>& shift) {
  shift_ = shift;
  if (!features_.empty() && reuses_ + 1 < interval_ && has_seen(conditionings)) {
    ++reuses_;
    return;
  }
  reuses_ = 0;
  features_.clear();
  conditionings_ = conditionings;
  kept_shift_ = shift;
}

at::Tensor FeatureReuse::forward(const at::Tensor& sample, const at::Tensor& timesteps,
                                 const Conditioning& conditioning) {
  if (interval_ == 1) return unet_.forward(sample, timesteps, conditioning);
  if (reuses_ == 0) {
    const auto [output, features] = unet_.forward_keeping(sample, timesteps, conditioning);
    features_[conditioning.positions()] = features;
    return output;
  }
  at::Tensor features = features_.at(conditioning.positions());
  if (shift_ != kept_shift_) {
    features = features.roll({shift_[0] - kept_shift_[0], shift_[1] - kept_shift_[1]}, {2, 3});
  }
  return unet_.forward_reusing(sample, timesteps, conditioning, features);
}

}  // namespace sdx
