#include "model/checkpointed.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include "sdx/device/held_value.h"

namespace sdx {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

class Checkpointed : public torch::autograd::Function<Checkpointed> {
 public:
  /// Runs without gradient, as every Function's forward. The inputs come as a TensorList because
  /// apply() silently does not track the tensors of a std::vector.
  static variable_list forward(AutogradContext* context, const c10::IValue& held,
                               at::TensorList inputs) {
    context->save_for_backward(inputs.vec());
    context->saved_data[kSegment] = held;
    return held_value<Segment>(held)(inputs.vec());
  }

  static variable_list backward(AutogradContext* context, const variable_list& output_gradients) {
    variable_list inputs;
    variable_list differentiable;
    for (const at::Tensor& saved : context->get_saved_variables()) {
      inputs.push_back(saved.detach().set_requires_grad(saved.requires_grad()));
      if (saved.requires_grad()) differentiable.push_back(inputs.back());
    }
    variable_list outputs;
    {
      const at::AutoGradMode with_gradient(true);
      outputs = held_value<Segment>(context->saved_data[kSegment])(inputs);
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
        reached.empty()
            ? variable_list(differentiable.size())
            : torch::autograd::grad(reached, differentiable, gradients, /*retain_graph=*/false,
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
};

}  // namespace

std::vector<at::Tensor> run_checkpointed(Segment segment, const std::vector<at::Tensor>& inputs) {
  return Checkpointed::apply(hold(std::move(segment)), at::TensorList(inputs));
}

}  // namespace sdx
