#include "sdx/tensor/flop_meter.h"

#include <ATen/record_function.h>

#include <atomic>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace sdx {

namespace {

enum class Kind { kLinear, kConvolution, kConvolutionBackward, kAttention, kAttentionBackward };

/// What an operator does, by its name; nothing for all that is not counted.
std::optional<Kind> kind_of(std::string_view name) {
  static const std::unordered_map<std::string_view, Kind> kKnown = {
      {"aten::linear", Kind::kLinear},
      {"mkldnn::_linear_pointwise", Kind::kLinear},
      {"mkl::_mkl_linear", Kind::kLinear},
      {"aten::mkldnn_linear", Kind::kLinear},
      {"aten::mm", Kind::kLinear},
      {"aten::bmm", Kind::kLinear},
      {"aten::addmm", Kind::kLinear},
      {"aten::_addmm_activation", Kind::kLinear},
      {"aten::baddbmm", Kind::kLinear},
      {"aten::baddbmm_", Kind::kLinear},
      {"aten::conv2d", Kind::kConvolution},
      {"aten::convolution", Kind::kConvolution},
      {"aten::_convolution", Kind::kConvolution},
      {"aten::mkldnn_convolution", Kind::kConvolution},
      {"aten::cudnn_convolution", Kind::kConvolution},
      {"mkldnn::_convolution_pointwise", Kind::kConvolution},
      {"mkldnn::_convolution_pointwise_", Kind::kConvolution},
      {"aten::convolution_backward", Kind::kConvolutionBackward},
  };
  if (const auto found = kKnown.find(name); found != kKnown.end()) return found->second;
  const bool is_attention = name.starts_with("aten::scaled_dot_product_attention") ||
                            name.starts_with("aten::_scaled_dot_product_") ||
                            name.starts_with("sdx::attention");
  if (!is_attention) return std::nullopt;
  return name.find("backward") != std::string_view::npos ? Kind::kAttentionBackward
                                                         : Kind::kAttention;
}

double numel(const at::Tensor& tensor) { return static_cast<double>(tensor.numel()); }

std::vector<at::Tensor> tensors_of(c10::ArrayRef<const c10::IValue> values) {
  std::vector<at::Tensor> tensors;
  for (const c10::IValue& value : values) {
    if (value.isTensor() && value.toTensor().defined()) tensors.push_back(value.toTensor());
  }
  return tensors;
}

/// Multiplications for one value of a convolution's output; `weight` is the kernel's place.
double taps(const std::vector<at::Tensor>& inputs, std::size_t weight) {
  return numel(inputs.at(weight)) / static_cast<double>(inputs.at(weight).size(0));
}

double convolution_backward_flops(const at::RecordFunction& call) {
  const std::vector<at::Tensor> inputs = tensors_of(call.inputs());  // gradient, input, weight
  const auto wanted = call.inputs()[call.inputs().size() - 1].toBoolList();
  const int products = static_cast<int>(wanted.get(0)) + static_cast<int>(wanted.get(1));
  return 2 * products * numel(inputs.at(0)) * taps(inputs, 2);
}

/// Of both products, from [..., S, d] tensors.
double attention_flops(const std::vector<at::Tensor>& inputs, std::size_t query) {
  const auto keys = static_cast<double>(inputs.at(query + 1).size(-2));
  const auto rows = numel(inputs.at(query)) / static_cast<double>(inputs.at(query).size(-1));
  const auto widths = inputs.at(query).size(-1) + inputs.at(query + 2).size(-1);
  return 2 * rows * keys * static_cast<double>(widths);
}

double flops_of(Kind kind, const at::RecordFunction& call) {
  if (kind == Kind::kConvolutionBackward) return convolution_backward_flops(call);
  const std::vector<at::Tensor> inputs = tensors_of(call.inputs());
  if (kind == Kind::kAttention) return attention_flops(inputs, 0);
  if (kind == Kind::kAttentionBackward) return 2 * attention_flops(inputs, 1);
  const double outputs = numel(tensors_of(call.outputs()).at(0));
  const auto name = call.operator_name();
  const bool is_fused_sum = name && name->overload_name == "binary";
  if (kind == Kind::kConvolution) return 2 * outputs * taps(inputs, is_fused_sum ? 2 : 1);
  const std::string_view called = call.name();
  const bool has_addend_first = called.find("addmm") != std::string_view::npos ||
                                called.find("baddbmm") != std::string_view::npos;
  return 2 * outputs * static_cast<double>(inputs.at(has_addend_first ? 1 : 0).size(-1));
}

std::atomic<double> counted = 0;
thread_local int depth = 0;  ///< of known operators that are in progress

struct Counted : at::ObserverContext {
  explicit Counted(Kind which) : kind(which) {}
  Kind kind;
};

std::unique_ptr<at::ObserverContext> begin(const at::RecordFunction& call) {
  const std::optional<Kind> kind = kind_of(call.name());
  if (!kind) return nullptr;
  ++depth;
  return std::make_unique<Counted>(*kind);
}

void end(const at::RecordFunction& call, at::ObserverContext* context) {
  if (context == nullptr) return;
  if (--depth == 0) counted += flops_of(static_cast<Counted*>(context)->kind, call);
}

}  // namespace

struct FlopMeter::Impl {
  double before = counted;
  at::CallbackHandle handle = at::addGlobalCallback(at::RecordFunctionCallback(begin, end)
                                                        .needsInputs(true)
                                                        .needsOutputs(true)
                                                        .scopes({at::RecordScope::FUNCTION}));
};

FlopMeter::FlopMeter() : impl_(std::make_unique<Impl>()) {}

FlopMeter::~FlopMeter() { at::removeCallback(impl_->handle); }

double FlopMeter::flops() const { return counted - impl_->before; }

}  // namespace sdx
