#pragma once

#include <memory>

namespace sdx {

/// Counts the floating-point operations of the matrix products, convolutions and attentions that
/// run while it lives, in all threads, from the shapes of their tensors: what the arithmetic of a
/// model cannot be done without. A multiplication with its addition counts as two, as in figures of
/// peak performance. What is done to single elements (norms, activations, softmax) is not counted:
/// one part in a hundred of a UNet, and bound by memory.
///
/// Known by name: conv2d, linear, mm, addmm, bmm, baddbmm, scaled_dot_product_attention, their
/// backward passes, oneDNN's fused forms of them, and `sdx::attention…` with query, key and value
/// as its first arguments. Of operators that call each other the outermost counts. An attention's
/// backward pass counts as its four products, without what a kernel computes again; one with a mask
/// counts like one without.
class FlopMeter {
 public:
  FlopMeter();
  ~FlopMeter();
  FlopMeter(const FlopMeter&) = delete;
  FlopMeter& operator=(const FlopMeter&) = delete;

  /// So far.
  double flops() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sdx
