#include "sdx/device/transfer.h"

namespace sdx {

at::Tensor make_ready_to_pin(const at::Tensor& tensor) { return tensor.contiguous(); }

at::Tensor to_device(const at::Tensor& tensor, const c10::Device& device) {
  const bool leaves_the_processor = tensor.is_cpu() && !device.is_cpu();
  // Pinning has no gradient; what needs one is a handful of vectors.
  if (!leaves_the_processor || tensor.requires_grad()) return tensor.to(device);
  return make_ready_to_pin(tensor).pin_memory().to(tensor.options().device(device),
                                                   /*non_blocking=*/true);
}

}  // namespace sdx
