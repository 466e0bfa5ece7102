#include "model/gradient_range.h"

#include <torch/csrc/autograd/custom_function.h>

#include "sdx/device/held_value.h"

namespace sdx {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using Scale = std::shared_ptr<at::Tensor>;

constexpr const char* kScale = "scale";
constexpr double kSmallest = 1e-30;  // of a gradient of nothing but zeros

/// The power of two that brings the largest value to 1 … 2.
at::Tensor scale_for(const at::Tensor& gradient) {
  return gradient.abs().amax().clamp_min(kSmallest).log2().floor().neg().exp2();
}

template <typename Backward>
class Identity : public torch::autograd::Function<Identity<Backward>> {
 public:
  static at::Tensor forward(AutogradContext* context, const c10::IValue& scale,
                            const at::Tensor& values) {
    context->saved_data[kScale] = scale;
    return values.view_as(values);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    at::Tensor& scale = *held_value<Scale>(context->saved_data[kScale]);
    return {at::Tensor(), Backward::of(gradients.front(), scale)};
  }
};

struct Multiply {
  static at::Tensor of(const at::Tensor& gradient, at::Tensor& scale) {
    scale = scale_for(gradient);
    return gradient * scale;
  }
};

struct Divide {
  static at::Tensor of(const at::Tensor& gradient, at::Tensor& scale) {
    return gradient / scale.to(gradient.device());
  }
};

}  // namespace

at::Tensor GradientRange::before(const at::Tensor& input) const {
  return Identity<Divide>::apply(hold(scale_), input);
}

at::Tensor GradientRange::after(const at::Tensor& output) const {
  return Identity<Multiply>::apply(hold(scale_), output);
}

}  // namespace sdx
