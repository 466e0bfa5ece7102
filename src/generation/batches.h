#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "sdx/device/device.h"
#include "sdx/generation/generator.h"
#include "sdx/generation/guidance.h"
#include "sdx/model/unet.h"
#include "sdx/scheduler/noise_schedule.h"

namespace sdx {

/// Requests that go through the UNet together.
struct Batch {
  std::size_t first = 0;               ///< of the requests
  std::size_t count = 0;               ///< of them
  std::vector<ImageRequest> requests;  ///< of each row; with a replay the same picture in all
  std::size_t first_row = 0;           ///< of the requests
};

/// All batches of the requests, one after the other.
class AllBatches : public BatchSource {
 public:
  explicit AllBatches(std::size_t requests) : requests_(requests) {}

  std::optional<std::size_t> next() override {
    return next_ < requests_ ? std::optional(next_) : std::nullopt;
  }
  void on_batch(std::size_t first, std::size_t count) override { next_ = first + count; }

 private:
  std::size_t requests_;
  std::size_t next_ = 0;
};

/// Cuts requests into batches.
class Batches {
 public:
  /// All outlive it.
  Batches(const BundleInfo& info, const NoiseSchedule& schedule, const ComputeTarget& target,
          const UNet& unet)
      : info_(info), schedule_(schedule), target_(target), unet_(unet) {}

  /// As Generator::steady_batch_size.
  int steady_size(const ImageSettings& settings) const;

  /// The requests from `first` on that go together.
  Batch next(const std::vector<ImageRequest>& requests, std::size_t first,
             const BatchOptions& options, ContextCache& contexts) const;

 private:
  int automatic_size(const ImageRequest& request, ContextCache& contexts) const;

  const BundleInfo& info_;
  const NoiseSchedule& schedule_;
  const ComputeTarget& target_;
  const UNet& unet_;
};

}  // namespace sdx
