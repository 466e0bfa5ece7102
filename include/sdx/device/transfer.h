#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

namespace sdx {

/// The tensor in a form that can be copied to pinned memory: every value has a place of its own.
/// libtorch pins an expanded tensor with its strides of 0, and then refuses to write into it.
at::Tensor make_ready_to_pin(const at::Tensor& tensor);

/// The tensor on the device, differentiable as Tensor::to. From the processor to another device it
/// goes through pinned memory, so that nobody waits: neither the processor for the copy nor the
/// device for the processor.
at::Tensor to_device(const at::Tensor& tensor, const c10::Device& device);

}  // namespace sdx
