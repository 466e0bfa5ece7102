#include "model/checkpointed.h"

#include <ATen/core/grad_mode.h>
#include <ATen/core/ivalue.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

namespace sdx {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// A segment in the form in which autograd's contexts hold what is no tensor.
struct HeldSegment : torch::CustomClassHolder {
  explicit HeldSegment(Segment held) : segment(std::move(held)) {}
  Segment segment;
};

class Checkpointed : public torch::autograd::Function<Checkpointed> {
 public:
  /// Runs without gradient, as every Function's forward. The inputs come as a TensorList because
  /// apply() silently does not track the tensors of a std::vector.
  static variable_list forward(AutogradContext* context, const c10::IValue& held,
                               at::TensorList inputs) {
    context->save_for_backward(inputs.vec());
    context->saved_data[kSegment] = held;
    return segment_of(held)(inputs.vec());
  }

  static variable_list backward(AutogradContext* context, const variable_list& output_gradients) {
    variable_list inputs;
    variable_list wanted;
    for (const at::Tensor& saved : context->get_saved_variables()) {
      inputs.push_back(saved.detach().set_requires_grad(saved.requires_grad()));
      if (saved.requires_grad()) wanted.push_back(inputs.back());
    }
    variable_list outputs;
    {
      const at::AutoGradMode with_gradient(true);
      outputs = segment_of(context->saved_data[kSegment])(inputs);
    }
    variable_list reached;
    variable_list gradients;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (!outputs[i].requires_grad() || !output_gradients[i].defined()) continue;
      reached.push_back(outputs[i]);
      gradients.push_back(output_gradients[i]);
    }
    outputs.clear();
    const variable_list found =
        reached.empty() ? variable_list(wanted.size())
                        : torch::autograd::grad(reached, wanted, gradients, /*retain_graph=*/false,
                                                /*create_graph=*/false, /*allow_unused=*/true);
    variable_list result{at::Tensor()};  // for `held`
    std::size_t next = 0;
    for (const at::Tensor& input : inputs) {
      result.push_back(input.requires_grad() ? found[next++] : at::Tensor());
    }
    return result;
  }

 private:
  static constexpr const char* kSegment = "segment";

  static const Segment& segment_of(const c10::IValue& held) {
    return c10::static_intrusive_pointer_cast<HeldSegment>(held.toCapsule())->segment;
  }
};

}  // namespace

std::vector<at::Tensor> run_checkpointed(Segment segment, const std::vector<at::Tensor>& inputs) {
  const auto held = c10::IValue::make_capsule(c10::make_intrusive<HeldSegment>(std::move(segment)));
  return Checkpointed::apply(held, at::TensorList(inputs));
}

}  // namespace sdx
