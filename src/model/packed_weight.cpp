#include "model/packed_weight.h"

#include <ATen/Context.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/custom_class.h>
#include <torch/library.h>

#include <algorithm>
#include <array>

namespace sdx {

namespace {

using Ints = std::vector<std::int64_t>;

/// Calls an operator of libtorch that has no C++ function.
at::Tensor call(const c10::OperatorHandle& operation, torch::jit::Stack arguments) {
  operation.callBoxed(arguments);
  return std::move(arguments.front()).toTensor();
}

/// An operator of libtorch's that is not part of its interface and may change with a version.
struct PrivateOperator {
  const char* name;
  const char* overload;
  std::size_t arguments;  ///< as we call it
};

constexpr PrivateOperator kPackConvolution = {"mkldnn::_reorder_convolution_weight", "", 6};
constexpr PrivateOperator kConvolve = {"mkldnn::_convolution_pointwise", "", 10};
constexpr PrivateOperator kPackLinear = {"mkldnn::_reorder_linear_weight", "", 2};
constexpr PrivateOperator kLinear = {"mkldnn::_linear_pointwise", "", 6};
constexpr PrivateOperator kLinearTimes = {"mkldnn::_linear_pointwise", "binary", 5};

bool is_as_expected(const PrivateOperator& requested) {
  const auto found = c10::Dispatcher::singleton().findSchema({requested.name, requested.overload});
  return found && found->schema().arguments().size() == requested.arguments;
}

c10::OperatorHandle find(const PrivateOperator& requested) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(requested.name, requested.overload);
}

c10::List<std::optional<at::Scalar>> no_scalars() { return c10::List<std::optional<at::Scalar>>(); }

}  // namespace

bool has_packed_kernels() {
  static const bool has_all =
      at::hasMKLDNN() && std::ranges::all_of(std::array{kPackConvolution, kConvolve, kPackLinear,
                                                        kLinear, kLinearTimes},
                                             is_as_expected);
  return has_all;
}

// Not in the header: whoever makes one must link to this file, which registers the operators.
PackedWeight::PackedWeight(const at::Tensor& weight, at::ScalarType dtype)
    : weight_(weight.detach()), dtype_(dtype) {}

at::Tensor PackedWeight::convolve(const at::Tensor& x, const std::optional<at::Tensor>& bias,
                                  const Ints& stride, const Ints& padding, const Ints& dilation,
                                  std::int64_t groups) {
  static const c10::OperatorHandle pack = find(kPackConvolution);
  static const c10::OperatorHandle run = find(kConvolve);
  std::call_once(is_packed_, [&] {
    weight_ = call(pack, {weight_.to(dtype_), padding, stride, dilation, groups, x.sizes().vec()});
  });
  return call(run, {x, weight_, bias, padding, stride, dilation, groups, "none", no_scalars(), ""});
}

at::Tensor PackedWeight::packed_for_linear(const at::Tensor& x) {
  static const c10::OperatorHandle pack = find(kPackLinear);
  std::call_once(is_packed_, [&] {
    weight_ = call(pack, {weight_.to(dtype_).contiguous(), x.numel() / x.size(-1)});
  });
  return weight_;
}

at::Tensor PackedWeight::linear(const at::Tensor& x, const std::optional<at::Tensor>& bias,
                                std::string_view activation) {
  static const c10::OperatorHandle run = find(kLinear);
  return call(run, {x, packed_for_linear(x), bias, std::string(activation), no_scalars(), "none"});
}

at::Tensor PackedWeight::linear_times(const at::Tensor& x, const std::optional<at::Tensor>& bias,
                                      const at::Tensor& factor) {
  static const c10::OperatorHandle run = find(kLinearTimes);
  return call(run, {x, factor, packed_for_linear(x), bias, "mul"});
}

at::Tensor gated_linear(const at::Tensor& x, const c10::intrusive_ptr<PackedWeight>& value,
                        const c10::intrusive_ptr<PackedWeight>& gate, const at::Tensor& bias) {
  const std::vector<at::Tensor> biases = bias.chunk(2);
  return value->linear_times(x, biases[0], gate->linear(x, biases[1], "gelu"));
}

TORCH_LIBRARY_FRAGMENT(sdx, library) {
  using Weight = c10::intrusive_ptr<PackedWeight>;
  library.class_<PackedWeight>("PackedWeight");
  library.def("conv2d", [](const at::Tensor& x, const Weight& weight,
                           const std::optional<at::Tensor>& bias, const Ints& stride,
                           const Ints& padding, const Ints& dilation, std::int64_t groups) {
    return weight->convolve(x, bias, stride, padding, dilation, groups);
  });
  library.def("linear",
              [](const at::Tensor& x, const Weight& weight, const std::optional<at::Tensor>& bias) {
                return weight->linear(x, bias);
              });
  library.def("gated_linear", &gated_linear);
}

}  // namespace sdx
