#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "sdx/device/graph.h"

namespace sdx {

/// A function of tensors that a device records and then starts as a whole (graph.h), its gradient
/// too. Where the device records nothing it is the function itself.
///
/// The first call with inputs of some shapes and types is a plain one; the second is recorded, and
/// the recording compared with the plain result, once. Where recording fails or gives something
/// else, all calls are plain from then on, and the reason is logged. A recording keeps the memory
/// of everything between its inputs and outputs; the latest few are kept.
///
/// Not for two threads at once. A gradient must be asked for before the next call: the calls share
/// the places of their intermediate results.
class RecordedCall {
 public:
  using Tensors = std::vector<at::Tensor>;
  /// A function that can be recorded. For the same shapes it does the same work, without waiting
  /// for the device, and all its inputs and outputs are on the device.
  using Function = std::function<Tensors(const Tensors&)>;

  /// @param name   of the function in the log.
  /// @param graphs empty: the function itself.
  RecordedCall(std::string name, Function function, GraphFactory graphs);
  ~RecordedCall();
  RecordedCall(RecordedCall&&) noexcept;
  RecordedCall& operator=(RecordedCall&&) noexcept;

  /// Where gradients are enabled, differentiable in the inputs that require them.
  /// @throws what the function throws; InternalError from the backward pass of a call that is not
  ///         the latest.
  Tensors operator()(const Tensors& inputs);

  bool has_recordings() const;

  /// Frees the recordings and their memory; the next calls are treated as first ones. The gradient
  /// of the latest call can still be asked for.
  void drop_recordings();

 private:
  struct Recording;
  class Replay;

  /// Calls with inputs of one kind.
  struct Kind {
    std::string key;
    std::shared_ptr<Recording> recording;  ///< none after the first call
  };

  std::shared_ptr<Recording> find_recording(const Tensors& inputs, bool wants_gradient);
  std::shared_ptr<Recording> record(const Tensors& inputs, bool wants_gradient) const;

  std::string name_;
  Function function_;
  GraphFactory graphs_;    ///< empty also after a failure
  std::list<Kind> kinds_;  ///< the latest first
};

/// Does the work. If memory runs out, frees the recordings, which keep memory between two calls,
/// and the memory that libtorch holds without using it, and does the work once more. Where nothing
/// was recorded there is no second attempt: libtorch has then tried everything itself.
/// @param holders whose recordings go, of one thread.
/// @throws what the work throws, at the second time too.
RecordedCall::Tensors with_room(const std::vector<RecordedCall*>& holders,
                                const c10::Device& device,
                                const std::function<RecordedCall::Tensors()>& work);

/// While one lives, calls in its thread are plain ones and are not remembered. For measurements of
/// what a call takes: a recording would hide it, and making one meanwhile would falsify it.
class PlainCallsGuard {
 public:
  PlainCallsGuard();
  ~PlainCallsGuard();
  PlainCallsGuard(const PlainCallsGuard&) = delete;
  PlainCallsGuard& operator=(const PlainCallsGuard&) = delete;

 private:
  bool was_plain_;
};

}  // namespace sdx
