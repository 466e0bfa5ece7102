#pragma once

#include <c10/core/Device.h>

#include <functional>

namespace sdx {

/// Marks how much work a device has been given, and returns a function that waits until that much
/// is done.
using DeviceMark = std::function<std::function<void()>()>;

/// Keeps a loop from running ahead of the device that does its work. A GPU queues its work, so a
/// loop ends long before the work does, and counting rounds would count orders. With a pace, every
/// counted round but the latest one is done, and the device always has something to do. For one
/// thread.
class Pace {
 public:
  /// Of a loop on the device; on the processor, which works at once, it waits for nothing.
  explicit Pace(const c10::Device& device);
  /// @param mark empty: nothing to wait for.
  explicit Pace(DeviceMark mark);

  /// The end of a round: waits until the rounds before this one are done.
  /// @throws what the device says, where its work has failed.
  void end_round();

 private:
  DeviceMark mark_;
  std::function<void()> wait_for_last_;
};

}  // namespace sdx
