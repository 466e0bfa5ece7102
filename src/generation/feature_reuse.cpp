#include "sdx/generation/feature_reuse.h"

#include <algorithm>

namespace sdx {

bool FeatureReuse::has_seen(const std::vector<at::Tensor>& contexts) const {
  return std::equal(contexts.begin(), contexts.end(), contexts_.begin(), contexts_.end(),
                    [](const at::Tensor& a, const at::Tensor& b) { return a.is_same(b); });
}

void FeatureReuse::begin(const std::vector<at::Tensor>& contexts,
                         const std::vector<std::int64_t>& shift) {
  shift_ = shift;
  if (!features_.empty() && reuses_ + 1 < interval_ && has_seen(contexts)) {
    ++reuses_;
    return;
  }
  reuses_ = 0;
  features_.clear();
  contexts_ = contexts;
  kept_shift_ = shift;
}

at::Tensor FeatureReuse::forward(const at::Tensor& sample, const at::Tensor& timesteps,
                                 const at::Tensor& context) {
  if (interval_ == 1) return unet_.forward(sample, timesteps, context);
  if (reuses_ == 0) {
    const auto [output, features] = unet_.forward_keeping(sample, timesteps, context);
    features_[context.size(1)] = features;
    return output;
  }
  at::Tensor features = features_.at(context.size(1));
  if (shift_ != kept_shift_) {
    features = features.roll({shift_[0] - kept_shift_[0], shift_[1] - kept_shift_[1]}, {2, 3});
  }
  return unet_.forward_reusing(sample, timesteps, context, features);
}

}  // namespace sdx
