#include "sdx/device/graph.h"

#ifdef SDX_WITH_CUDA_GRAPHS

#include <ATen/cuda/CUDAGraph.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/StreamGuard.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAStream.h>

#include <map>
#include <mutex>

#include "device/failed_capture.h"
#include "device/lender.h"
#include "sdx/device/device.h"

namespace sdx {

namespace {

using Stream = c10::cuda::CUDAStream;

/// Nothing can be recorded on the default stream. Each recording has one of its own while it lives:
/// a recording that goes takes cuBLAS's workspace of its stream with it, from libtorch 2.12 on.
std::shared_ptr<const Stream> lend_stream(const c10::Device& device) {
  constexpr int kStreams = 32;  // libtorch hands so many out in turn
  static std::mutex mutex;
  static std::map<c10::DeviceIndex, Lender<Stream>> lenders;
  const std::lock_guard lock(mutex);
  const auto make = [device] {
    return c10::cuda::getStreamFromPool(/*isHighPriority=*/false, device.index());
  };
  return lenders.try_emplace(device.index(), "streams of the GPU", make, kStreams)
      .first->second.lend();
}

/// Where the results of a recording lie.
class GraphPool {
 public:
  GraphPool(c10::DeviceIndex device, at::MempoolId_t id) : device_(device), id_(id) {}

  at::MempoolId_t id() const { return id_; }
  void end() const { c10::cuda::CUDACachingAllocator::endAllocateToPool(device_, id_); }
  void release() const { c10::cuda::CUDACachingAllocator::releasePool(device_, id_); }
  int count_uses() const {
    try {
      return c10::cuda::CUDACachingAllocator::getPoolUseCount(device_, id_);
    } catch (const c10::Error&) {
      return 0;  // as some versions say that there is no such pool
    }
  }

 private:
  c10::DeviceIndex device_;
  at::MempoolId_t id_;
};

class CudaGraph final : public DeviceGraph {
 public:
  /// Backward work runs on the stream of its forward work, and in its memory.
  CudaGraph(const c10::Device& device, const CudaGraph* after)
      : held_stream_(after ? after->held_stream_ : lend_stream(device)),
        stream_(*held_stream_),
        pool_(after ? after->pool_ : GraphPool(device.index(), at::cuda::graph_pool_handle())) {}

  void rehearse(const Work& work) override {
    // A wait is for the present device, which need not be the stream's.
    const c10::DeviceGuard here(stream_.device());
    c10::cuda::device_synchronize();
    {
      const c10::StreamGuard guard(stream_);
      work();
    }
    c10::cuda::device_synchronize();
  }

  void record(const Work& work) override {
    const c10::DeviceGuard here(stream_.device());
    c10::cuda::device_synchronize();
    // Blocks belong to streams, and none is given back while something is recorded: what the plain
    // call and the rehearsal took would lie idle beside what the recording takes.
    release_unused_memory(stream_.device());
    // Not CUDAStreamGuard, whose code would have to be linked with CUDA's own library.
    const c10::StreamGuard guard(stream_);
    const int uses_before = pool_.count_uses();
    try {
      // Other threads may go on: pictures are decoded meanwhile.
      graph_.capture_begin(pool_.id(), cudaStreamCaptureModeThreadLocal);
      try {
        work();
      } catch (...) {
        end_capture_quietly();
        throw;
      }
      graph_.capture_end();
    } catch (...) {
      try {
        graph_.reset();
      } catch (const c10::Error&) {
        // What has failed before says more.
      }
      release_failed_capture(pool_, uses_before);
      throw;
    }
  }

  void replay() override { graph_.replay(); }

 private:
  void end_capture_quietly() {
    try {
      graph_.capture_end();
    } catch (const c10::Error&) {
      // What the work threw says more.
    }
  }

  std::shared_ptr<const Stream> held_stream_;
  Stream stream_;
  GraphPool pool_;
  at::cuda::CUDAGraph graph_;
};

}  // namespace

GraphFactory graph_factory(const c10::Device& device) {
  if (!device.is_cuda()) return {};
  return [device](DeviceGraph* after) {
    return std::make_unique<CudaGraph>(device, static_cast<const CudaGraph*>(after));
  };
}

bool has_device_graphs() { return true; }

}  // namespace sdx

#else

namespace sdx {

GraphFactory graph_factory(const c10::Device&) { return {}; }

bool has_device_graphs() { return false; }

}  // namespace sdx

#endif
