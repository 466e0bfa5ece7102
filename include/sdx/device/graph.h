#pragma once

#include <c10/core/Device.h>

#include <functional>
#include <memory>

namespace sdx {

/// Work of a device as a graph of kernels, recorded once and then started as a whole. At batch 1 a
/// modern GPU waits for launches more than it computes: the UNet has over a thousand of them.
class DeviceGraph {
 public:
  using Work = std::function<void()>;

  virtual ~DeviceGraph() = default;

  /// Does the work in the place where it will be recorded, so that one-time initialisation is over.
  virtual void rehearse(const Work& work) = 0;

  /// Records the work without doing it: its tensors have their places, but no values yet. It must
  /// not wait for the device.
  /// @throws what the work throws, and c10::Error for what cannot be recorded. The graph is of no
  ///         use then, and nothing is left of the attempt: no memory, and no recording under way.
  virtual void record(const Work& work) = 0;

  /// Does the recorded work, in the order of what else the device is given, on the same places in
  /// memory.
  virtual void replay() = 0;
};

/// Makes graphs of one device.
/// @param after null, or a graph whose recorded results the new one uses; it is always replayed
///              next before the new one.
using GraphFactory = std::function<std::unique_ptr<DeviceGraph>(DeviceGraph* after)>;

/// Empty for a device that records nothing, as the processor, and in a build without its headers.
GraphFactory graph_factory(const c10::Device& device);

/// Whether this build can record at all: libtorch is one for GPUs, and CUDA's headers were there.
bool has_device_graphs();

}  // namespace sdx
