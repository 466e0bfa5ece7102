#include "cli/bench/bench_ceiling.h"

#include <ATen/Parallel.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <string>

#include "sdx/util/stopwatch.h"

namespace sdx {

namespace {

constexpr int kTries = 5;
/// A GPU does a product in less than a wait for its end takes.
constexpr int kTimesPerWait = 10;

/// Seconds of the work in the fastest of several runs, on whatever device the result lies. On a CPU
/// that others use as well, time that the threads waited for a core does not count: a ceiling that
/// was measured too low would flatter all that is compared with it.
double fastest(const std::function<at::Tensor()>& work) {
  // Reading a value waits for the device.
  const auto finish = [](const at::Tensor& result) {
    result.flatten()[0].item<float>();
    return result.device().is_cpu();
  };
  const int times = finish(work()) ? 1 : kTimesPerWait;
  double least = std::numeric_limits<double>::infinity();
  for (int i = 0; i < kTries; ++i) {
    const Stopwatch watch;
    for (int again = 1; again < times; ++again) work();
    const bool is_on_cpu = finish(work());
    least = std::min(least, watch.seconds() / times);
    if (is_on_cpu) least = std::min(least, watch.cpu_seconds() / at::get_num_threads());
  }
  return least;
}

/// An operator by its name, called with values; these have no C++ header.
at::Tensor call(const c10::OperatorHandle& operation, std::vector<c10::IValue> arguments) {
  operation.callBoxed(arguments);
  return arguments.front().toTensor();
}

double seconds_of_product(const at::Tensor& left, const at::Tensor& right) {
  double least = fastest([&] { return at::mm(left, right); });
  const auto reorder =
      c10::Dispatcher::singleton().findSchema({"mkldnn::_reorder_linear_weight", ""});
  const auto multiply = c10::Dispatcher::singleton().findSchema({"mkldnn::_linear_pointwise", ""});
  if (!left.device().is_cpu() || !reorder || !multiply) return least;
  const at::Tensor weight = call(*reorder, {right.t().contiguous(), left.size(0)});
  const c10::List<std::optional<at::Scalar>> no_scalars;
  return std::min(least, fastest([&] {
                    return call(*multiply, {left, weight, c10::IValue(), std::string("none"),
                                            no_scalars, std::string()});
                  }));
}

}  // namespace

const std::vector<ProductShape>& ceiling_shapes(c10::Device device) {
  static const std::vector<ProductShape> kForProcessor = {
      {4096, 4096, 4096}, {8192, 320, 2560}, {2048, 640, 5120}, {512, 1280, 10240}};
  static const std::vector<ProductShape> kForGpu = {
      {8192, 8192, 8192}, {8192, 320, 2560}, {2048, 640, 5120}, {512, 1280, 10240}};
  return device.is_cpu() ? kForProcessor : kForGpu;
}

std::vector<c10::ScalarType> ceiling_types(const ComputeTarget& target) {
  std::vector<c10::ScalarType> types = {at::kFloat};
  if (target.device.is_cpu()) types.push_back(at::kBFloat16);
  if (std::find(types.begin(), types.end(), target.dtype) == types.end()) {
    types.push_back(target.dtype);
  }
  return types;
}

double best_product_rate(c10::Device device, c10::ScalarType dtype,
                         const std::vector<ProductShape>& shapes) {
  const at::NoGradGuard no_grad;
  double best = 0;
  for (const auto& [rows, depth, columns] : shapes) {
    const at::Tensor left = at::randn({rows, depth}, device).to(dtype);
    const at::Tensor right = at::randn({depth, columns}, device).to(dtype);
    const double operations =
        2 * static_cast<double>(rows) * static_cast<double>(depth) * static_cast<double>(columns);
    best = std::max(best, operations / seconds_of_product(left, right) / 1e12);
  }
  return best;
}

double best_copy_rate(c10::Device device, std::int64_t bytes) {
  const at::Tensor from = at::ones({bytes / 4}, at::device(device).dtype(at::kFloat));
  at::Tensor to = at::empty_like(from);
  return 2 * static_cast<double>(bytes) / fastest([&] { return to.copy_(from); }) / 1e9;
}

}  // namespace sdx
