#include "sdx/tensor/allocation_meter.h"

#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <atomic>

namespace sdx {

namespace {

/// What libtorch's allocators report to, in place of its profiler.
class Counter : public c10::MemoryReportingInfoBase {
 public:
  void reportMemoryUsage(void*, std::int64_t size, std::size_t, std::size_t, c10::Device) override {
    const std::int64_t now = live_ += size;
    std::int64_t peak = peak_;
    while (now > peak && !peak_.compare_exchange_weak(peak, now)) {
    }
  }
  bool memoryProfilingEnabled() const override { return true; }

  std::int64_t peak_bytes() const { return peak_; }

 private:
  std::atomic<std::int64_t> live_ = 0;
  std::atomic<std::int64_t> peak_ = 0;
};

}  // namespace

struct AllocationMeter::Impl {
  std::shared_ptr<Counter> counter = std::make_shared<Counter>();
  c10::DebugInfoGuard guard{c10::DebugInfoKind::PROFILER_STATE, counter};
};

AllocationMeter::AllocationMeter() : impl_(std::make_unique<Impl>()) {}

AllocationMeter::~AllocationMeter() = default;

std::int64_t AllocationMeter::peak_bytes() const { return impl_->counter->peak_bytes(); }

}  // namespace sdx
