#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <vector>

#include "sdx/model/unet.h"

namespace sdx {

/// The UNet over the evaluations of a pass. One in `interval` is made in full and leaves its deep
/// features to those that follow (Ma et al. 2023, "DeepCache: Accelerating Diffusion
/// Models for Free").
class FeatureReuse {
 public:
  /// @param interval 1: every evaluation is made in full, and nothing is kept.
  /// The UNet outlives this.
  FeatureReuse(const UNet& unet, int interval) : unet_(unet), interval_(interval) {}

  /// Begins an evaluation. It is made in full if it is its turn, or if the rows attend to something
  /// else than they did (the prompt has changed, guidance has ended).
  /// @param conditionings of all rows, the same tensors for the same texts.
  /// @param shift         how far the sample is rolled down and right: the features roll along.
  void begin(const std::vector<Conditioning>& conditionings,
             const std::vector<std::int64_t>& shift);

  /// Some of the rows, those with contexts of one length. Arguments and result as of UNet::forward.
  at::Tensor forward(const at::Tensor& sample, const at::Tensor& timesteps,
                     const Conditioning& conditioning);

 private:
  bool has_seen(const std::vector<Conditioning>& conditionings) const;

  const UNet& unet_;
  int interval_;
  int reuses_ = 0;                           ///< since the evaluation in full
  std::vector<Conditioning> conditionings_;  ///< of that
  std::vector<std::int64_t> kept_shift_;
  std::vector<std::int64_t> shift_;
  std::map<std::int64_t, at::Tensor> features_;  ///< by the contexts' length
};

}  // namespace sdx
