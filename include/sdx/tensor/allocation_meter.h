#pragma once

#include <cstdint>
#include <memory>

namespace sdx {

/// Counts the bytes of the tensors that are allocated while it lives, in its thread and, when
/// autograd runs there, on any device. Exact and the same in every run, unlike the process's
/// resident memory, which has what the system's allocator holds back. Not counted: workspaces that
/// kernels allocate by other means, tensors that were there before.
class AllocationMeter {
 public:
  AllocationMeter();
  ~AllocationMeter();
  AllocationMeter(const AllocationMeter&) = delete;
  AllocationMeter& operator=(const AllocationMeter&) = delete;

  /// The most that was allocated at one time so far.
  std::int64_t peak_bytes() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sdx
