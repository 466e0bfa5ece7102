#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>

#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

namespace sdx {

/// Whether this libtorch has the kernels that PackedWeight calls, with the arguments that it gives
/// them. They are private to libtorch, so another version may lack them: models then compute with
/// libtorch's own layers.
bool has_packed_kernels();

/// The weight of a convolution or linear layer, in the order and dtype in which the CPU's kernels
/// (oneDNN) compute. libtorch's own layers put it into that order in every call, which takes up to
/// half of a layer's time where images are small; this one does it once, at the first call, when
/// the input's size is known, on which the best order depends. Other sizes are computed right as
/// well. Without gradient.
///
/// TorchScript knows it and the operators below under `sdx::`.
class PackedWeight : public torch::CustomClassHolder {
 public:
  /// @param weight of any floating dtype; may be a view of a mapped file: what is not called is
  ///        never read, and what has been packed is let go.
  /// @param dtype  in which the layer computes; its inputs must be of it.
  PackedWeight(const at::Tensor& weight, at::ScalarType dtype);

  /// `sdx::conv2d`, arguments as of torch.conv2d. @param x [B,C,h,w], channels last.
  at::Tensor convolve(const at::Tensor& x, const std::optional<at::Tensor>& bias,
                      const std::vector<std::int64_t>& stride,
                      const std::vector<std::int64_t>& padding,
                      const std::vector<std::int64_t>& dilation, std::int64_t groups);

  /// `sdx::linear`. @param activation applied to the result: "none" or "gelu" (exact).
  at::Tensor linear(const at::Tensor& x, const std::optional<at::Tensor>& bias,
                    std::string_view activation = "none");

  /// The linear layer's result times `factor`, which has the result's shape.
  at::Tensor linear_times(const at::Tensor& x, const std::optional<at::Tensor>& bias,
                          const at::Tensor& factor);

 private:
  at::Tensor packed_for_linear(const at::Tensor& x);

  at::Tensor weight_;  ///< as it was given, then packed
  at::ScalarType dtype_;
  std::once_flag is_packed_;
};

/// `sdx::gated_linear`: value(x) × gelu(gate(x)), a transformer's GEGLU (Shazeer 2020, "GLU
/// Variants Improve Transformer"), without a pass of its own over the memory for function and
/// product.
/// @param bias of both: the value's, then the gate's.
at::Tensor gated_linear(const at::Tensor& x, const c10::intrusive_ptr<PackedWeight>& value,
                        const c10::intrusive_ptr<PackedWeight>& gate, const at::Tensor& bias);

}  // namespace sdx
