#include "sdx/device/graph.h"

#ifdef SDX_WITH_CUDA_GRAPHS

#include <ATen/cuda/CUDAGraph.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/StreamGuard.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAStream.h>

namespace sdx {

namespace {

class CudaGraph final : public DeviceGraph {
 public:
  CudaGraph(const c10::Device& device, const CudaGraph* after)
      // Nothing can be recorded on the default stream. Backward work runs on the stream of its
      // forward work.
      : stream_(after ? after->stream_
                      : c10::cuda::getStreamFromPool(/*isHighPriority=*/false, device.index())),
        pool_(after ? after->pool_ : at::MempoolId_t{0, 0}) {}

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
    c10::getDeviceAllocator(stream_.device().type())->emptyCache();
    // Not CUDAStreamGuard, whose code would have to be linked with CUDA's own library.
    const c10::StreamGuard guard(stream_);
    // Other threads may go on: pictures are decoded meanwhile.
    graph_.capture_begin(pool_, cudaStreamCaptureModeThreadLocal);
    try {
      work();
    } catch (...) {
      try {
        graph_.capture_end();
      } catch (const c10::Error&) {
        // What the work threw says more.
      }
      throw;
    }
    graph_.capture_end();
    pool_ = graph_.pool();
  }

  void replay() override { graph_.replay(); }

 private:
  c10::cuda::CUDAStream stream_;
  at::MempoolId_t pool_;  ///< where the results lie
  at::cuda::CUDAGraph graph_;
};

}  // namespace

GraphFactory graph_factory(const c10::Device& device) {
  if (!device.is_cuda()) return {};
  return [device](DeviceGraph* after) {
    return std::make_unique<CudaGraph>(device, static_cast<const CudaGraph*>(after));
  };
}

}  // namespace sdx

#else

namespace sdx {

GraphFactory graph_factory(const c10::Device&) { return {}; }

}  // namespace sdx

#endif
