#include "sdx/device/recorded_call.h"
#include "sdx/device/held_value.h"

#include <ATen/core/grad_mode.h>
#include <spdlog/spdlog.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "sdx/device/device.h"
#include "sdx/util/error.h"
#include "sdx/util/failure.h"

namespace sdx {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Training has four kinds in turn: its step, the fixed batch, looks, obedience. A last, smaller
/// batch and a group that shrinks are two more. With fewer places all of them would be recorded
/// again at each milestone; each holds memory.
constexpr std::size_t kMostKinds = 6;

/// Kernels add up in another order from run to run, which in half precision shows in the third
/// digit. What a wrong recording gives is off by far more.
constexpr double kMostDifference = 0.02;

std::string make_key(const std::vector<at::Tensor>& inputs, bool wants_gradient) {
  std::ostringstream key;
  key << wants_gradient;
  for (const at::Tensor& input : inputs) {
    key << ';' << input.scalar_type() << input.sizes() << input.strides() << input.requires_grad();
  }
  return key.str();
}

double difference(const at::Tensor& found, const at::Tensor& expected) {
  const at::Tensor reference = expected.to(at::kFloat);
  const double size = reference.norm().item<double>();
  const double off = (found.to(at::kFloat) - reference).norm().item<double>();
  return off == 0 ? 0 : off / size;
}

void check_same(const char* what, const std::vector<at::Tensor>& found,
                const std::vector<at::Tensor>& expected) {
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double off = difference(found[i], expected[i]);
    if (off <= kMostDifference) continue;
    throw std::runtime_error(std::string("the recording's ") + what + " differ by " +
                             std::to_string(off) + " of their size");
  }
}

std::vector<at::Tensor> clone_tensors(const std::vector<at::Tensor>& tensors) {
  std::vector<at::Tensor> clones;
  for (const at::Tensor& tensor : tensors) clones.push_back(tensor.detach().clone());
  return clones;
}

void copy_into(const std::vector<at::Tensor>& places, at::TensorList values) {
  const at::NoGradGuard no_grad;
  for (std::size_t i = 0; i < places.size(); ++i) {
    places[i].copy_(values[i], /*non_blocking=*/true);
  }
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

thread_local bool calls_are_plain = false;

std::vector<at::Tensor> requiring_gradient(const std::vector<at::Tensor>& tensors) {
  std::vector<at::Tensor> found;
  std::copy_if(tensors.begin(), tensors.end(), std::back_inserter(found),
               [](const at::Tensor& tensor) { return tensor.requires_grad(); });
  return found;
}

}  // namespace

/// The graphs of calls of one kind and the places in memory that they work on.
struct RecordedCall::Recording {
  Tensors inputs;
  Tensors outputs;
  Tensors output_gradients;
  Tensors input_gradients;  ///< of the inputs that require one
  std::unique_ptr<DeviceGraph> forward;
  std::unique_ptr<DeviceGraph> backward;  ///< with gradients only
  std::int64_t calls = 0;

  Tensors run_forward(at::TensorList given) {
    ++calls;
    copy_into(inputs, given);
    forward->replay();
    return clone_tensors(outputs);
  }

  Tensors run_backward(at::TensorList given) {
    copy_into(output_gradients, given);
    backward->replay();
    return clone_tensors(input_gradients);
  }
};

/// A call of a recording in autograd's graph.
class RecordedCall::Replay : public torch::autograd::Function<Replay> {
 public:
  /// The inputs come as a TensorList because apply() silently does not track the tensors of a
  /// std::vector.
  static variable_list forward(AutogradContext* context, const c10::IValue& held,
                               at::TensorList inputs) {
    const auto& recording = held_value<std::shared_ptr<Recording>>(held);
    Tensors outputs = recording->run_forward(inputs);
    context->saved_data[kRecording] = held;
    context->saved_data[kCall] = recording->calls;
    return outputs;
  }

  /// @param output_gradients zeros where nobody asked, as autograd makes them.
  static variable_list backward(AutogradContext* context, const variable_list& output_gradients) {
    const auto& recording = held_value<std::shared_ptr<Recording>>(context->saved_data[kRecording]);
    if (context->saved_data[kCall].toInt() != recording->calls) {
      throw InternalError("the gradient of a recorded call was asked for after the next call");
    }
    const Tensors gradients = recording->run_backward(output_gradients);
    variable_list result{at::Tensor()};  // for `held`
    std::size_t next = 0;
    for (const at::Tensor& input : recording->inputs) {
      result.push_back(input.requires_grad() ? gradients[next++] : at::Tensor());
    }
    return result;
  }

 private:
  static constexpr const char* kRecording = "recording";
  static constexpr const char* kCall = "call";
};

PlainCallsGuard::PlainCallsGuard() : was_plain_(std::exchange(calls_are_plain, true)) {}

PlainCallsGuard::~PlainCallsGuard() { calls_are_plain = was_plain_; }

RecordedCall::RecordedCall(std::string name, Function function, GraphFactory graphs)
    : name_(std::move(name)), function_(std::move(function)), graphs_(std::move(graphs)) {}

RecordedCall::~RecordedCall() = default;
RecordedCall::RecordedCall(RecordedCall&&) noexcept = default;
RecordedCall& RecordedCall::operator=(RecordedCall&&) noexcept = default;

RecordedCall::Tensors RecordedCall::operator()(const Tensors& inputs) {
  const bool wants_gradient = at::GradMode::is_enabled() && !requiring_gradient(inputs).empty();
  const bool may_record = graphs_ && !calls_are_plain;
  const auto recording = may_record ? find_recording(inputs, wants_gradient) : nullptr;
  if (!recording) return function_(inputs);
  if (!wants_gradient) return recording->run_forward(inputs);
  return Replay::apply(hold(recording), at::TensorList(inputs));
}

bool RecordedCall::has_recordings() const {
  return std::any_of(kinds_.begin(), kinds_.end(),
                     [](const Kind& kind) { return kind.recording != nullptr; });
}

void RecordedCall::drop_recordings() { kinds_.clear(); }

RecordedCall::Tensors with_room(const std::vector<RecordedCall*>& holders,
                                const c10::Device& device,
                                const std::function<RecordedCall::Tensors()>& work) {
  std::string reason;
  try {
    return work();
  } catch (const std::exception& error) {
    const bool can_drop =
        std::any_of(holders.begin(), holders.end(),
                    [](const RecordedCall* holder) { return holder->has_recordings(); });
    if (!can_drop || !out_of_memory(error)) throw;
    reason = first_line(error.what());
  }
  // Outside the handler, as the exception may hold tensors.
  spdlog::debug("Memory ran out, so recordings are let go: {}", reason);
  for (RecordedCall* const holder : holders) holder->drop_recordings();
  release_unused_memory(device);
  return work();
}

std::shared_ptr<RecordedCall::Recording> RecordedCall::find_recording(const Tensors& inputs,
                                                                      bool wants_gradient) {
  const std::string key = make_key(inputs, wants_gradient);
  const auto found =
      std::find_if(kinds_.begin(), kinds_.end(), [&](const Kind& kind) { return kind.key == key; });
  if (found == kinds_.end()) {
    kinds_.push_front({key, nullptr});
    if (kinds_.size() > kMostKinds) kinds_.pop_back();
    return nullptr;
  }
  kinds_.splice(kinds_.begin(), kinds_, found);
  if (found->recording) return found->recording;
  try {
    found->recording = record(inputs, wants_gradient);
    spdlog::debug("{}: recorded, its kernels are started together from now on", name_);
    return found->recording;
  } catch (const std::exception& error) {
    spdlog::warn("{}: its kernels are started one by one, which is slower: {}", name_,
                 first_line(error.what()));
    graphs_ = {};
    kinds_.clear();
    return nullptr;
  }
}

std::shared_ptr<RecordedCall::Recording> RecordedCall::record(const Tensors& inputs,
                                                              bool wants_gradient) const {
  const at::AutoGradMode mode(wants_gradient);
  const auto recording = std::make_shared<Recording>();
  for (const at::Tensor& input : inputs) {
    recording->inputs.push_back(
        input.detach().clone().set_requires_grad(wants_gradient && input.requires_grad()));
  }
  const auto collect_gradients = [&](const Tensors& outputs) {
    return torch::autograd::grad(outputs, requiring_gradient(recording->inputs),
                                 recording->output_gradients);
  };

  recording->forward = graphs_(nullptr);
  Tensors expected;
  Tensors expected_gradients;
  recording->forward->rehearse([&] {
    const Tensors outputs = function_(recording->inputs);
    expected = clone_tensors(outputs);
    if (!wants_gradient) return;
    recording->output_gradients = clone_tensors(outputs);
    expected_gradients = collect_gradients(outputs);
  });

  recording->forward->record([&] { recording->outputs = function_(recording->inputs); });
  if (wants_gradient) {
    recording->backward = graphs_(recording->forward.get());
    recording->backward->record(
        [&] { recording->input_gradients = collect_gradients(recording->outputs); });
    for (at::Tensor& output : recording->outputs) output = output.detach();
  }

  recording->forward->replay();
  check_same("results", recording->outputs, expected);
  if (wants_gradient) {
    recording->backward->replay();
    check_same("gradients", recording->input_gradients, expected_gradients);
  }
  return recording;
}

}  // namespace sdx
