#include "sdx/tensor/flop_meter.h"

#include <ATen/core/function_schema.h>
#include <ATen/record_function.h>

#include <algorithm>
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
std::optional<Kind> find_kind(std::string_view name) {
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

double values_in(const at::Tensor& tensor) { return static_cast<double>(tensor.numel()); }

std::vector<at::Tensor> collect_tensors(c10::ArrayRef<const c10::IValue> values) {
  std::vector<at::Tensor> tensors;
  for (const c10::IValue& value : values) {
    if (value.isTensor() && value.toTensor().defined()) tensors.push_back(value.toTensor());
  }
  return tensors;
}

/// The last `count`: called by TorchScript's interpreter, an operator is shown all of its stack.
c10::ArrayRef<const c10::IValue> last(c10::ArrayRef<const c10::IValue> values, std::size_t count) {
  return values.slice(values.size() - std::min(count, values.size()));
}

c10::ArrayRef<const c10::IValue> collect_arguments(const at::RecordFunction& call) {
  const auto schema = call.operator_schema();
  return last(call.inputs(), schema ? schema->arguments().size() : call.inputs().size());
}

at::Tensor find_result(const at::RecordFunction& call) {
  const std::vector<c10::IValue>& outputs = call.outputs();
  const auto schema = call.operator_schema();
  const std::size_t count = schema ? schema->returns().size() : outputs.size();
  return collect_tensors(
             last(c10::ArrayRef<const c10::IValue>(outputs.data(), outputs.size()), count))
      .at(0);
}

/// Multiplications for one value of a convolution's output; `weight` is the kernel's place.
double taps(const std::vector<at::Tensor>& inputs, std::size_t weight) {
  return values_in(inputs.at(weight)) / static_cast<double>(inputs.at(weight).size(0));
}

double convolution_backward_flops(const at::RecordFunction& call) {
  const std::vector<at::Tensor> inputs =
      collect_tensors(collect_arguments(call));  // gradient, input, weight
  const auto requested = call.inputs()[call.inputs().size() - 1].toBoolList();
  const int products = static_cast<int>(requested.get(0)) + static_cast<int>(requested.get(1));
  return 2 * products * values_in(inputs.at(0)) * taps(inputs, 2);
}

/// Of both products, from [..., S, d] tensors.
double attention_flops(const std::vector<at::Tensor>& inputs, std::size_t query) {
  const auto keys = static_cast<double>(inputs.at(query + 1).size(-2));
  const auto rows = values_in(inputs.at(query)) / static_cast<double>(inputs.at(query).size(-1));
  const auto widths = inputs.at(query).size(-1) + inputs.at(query + 2).size(-1);
  return 2 * rows * keys * static_cast<double>(widths);
}

/// What is known of a call before it runs: its operations, or those for each value of its result.
struct Work : at::ObserverContext {
  double flops = 0;
  bool is_for_each_value = false;
};

/// libtorch shows a call's arguments only at its beginning, and its result only at its end.
std::unique_ptr<Work> make_work(Kind kind, const at::RecordFunction& call) {
  auto work = std::make_unique<Work>();
  const std::vector<at::Tensor> inputs = collect_tensors(collect_arguments(call));
  switch (kind) {
    case Kind::kAttention:
      work->flops = attention_flops(inputs, 0);
      break;
    case Kind::kAttentionBackward:
      work->flops = 2 * attention_flops(inputs, 1);
      break;
    case Kind::kConvolutionBackward:
      work->flops = convolution_backward_flops(call);
      break;
    case Kind::kConvolution: {
      const auto name = call.operator_name();
      const bool is_fused_sum = name && name->overload_name == "binary";
      work->flops = 2 * taps(inputs, is_fused_sum ? 2 : 1);
      work->is_for_each_value = true;
      break;
    }
    case Kind::kLinear: {
      const std::string_view name = call.name();
      const bool has_addend_first = name.find("addmm") != std::string_view::npos ||
                                    name.find("baddbmm") != std::string_view::npos;
      work->flops = 2 * static_cast<double>(inputs.at(has_addend_first ? 1 : 0).size(-1));
      work->is_for_each_value = true;
      break;
    }
  }
  return work;
}

std::atomic<double> counted = 0;
thread_local int depth = 0;  ///< of known operators that are in progress

std::unique_ptr<at::ObserverContext> begin(const at::RecordFunction& call) {
  const std::optional<Kind> kind = find_kind(call.name());
  if (!kind) return nullptr;
  auto work = depth == 0 ? make_work(*kind, call) : std::make_unique<Work>();
  ++depth;
  return work;
}

void end(const at::RecordFunction& call, at::ObserverContext* context) {
  if (context == nullptr) return;
  --depth;
  const auto& work = *static_cast<Work*>(context);
  counted += work.is_for_each_value ? work.flops * values_in(find_result(call)) : work.flops;
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
