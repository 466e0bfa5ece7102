#pragma once

#include <torch/csrc/jit/api/module.h>

#include <functional>
#include <string>
#include <vector>

#include "model/unet_program.h"
#include "sdx/device/device.h"
#include "sdx/device/recorded_call.h"
#include "sdx/model/bundle.h"
#include "sdx/model/lora.h"

namespace sdx {

/// The TorchScript program `unet.ts` of a bundle; its methods are in docs/formats.md. On a GPU a
/// pass is recorded and started as a whole.
class ScriptUNet : public UNetProgram {
 public:
  /// @throws DataError if a file of the bundle is damaged (hash named) or lacks a tensor; if
  ///         "forward" takes more than sample, timestep, context, pooled and size_ids.
  ScriptUNet(const Bundle& bundle, const ComputeTarget& target, ModelUse use,
             const AppliedLoras& loras = {});

  ConditioningKinds takes() const override { return takes_; }
  at::Tensor forward(const UNetInputs& inputs, GradientMemory memory) override;
  void require_feature_reuse() const override;
  KeptPass forward_keeping(const UNetInputs& inputs) override;
  at::Tensor forward_reusing(const UNetInputs& inputs, const at::Tensor& features) override;
  std::vector<at::Tensor> parameters() const override;

 private:
  std::vector<at::Tensor> arguments(const UNetInputs& inputs) const;
  at::Tensor forward_in_segments(const std::vector<at::Tensor>& arguments) const;
  int count_up_blocks() const;
  RecordedCall recorded(const char* method) const;
  std::vector<at::Tensor> with_room(const std::function<std::vector<at::Tensor>()>& work);

  torch::jit::Module module_;
  ComputeTarget target_;
  ModelUse use_;
  std::string program_file_;  ///< for messages
  ConditioningKinds takes_;
  RecordedCall forward_;
  RecordedCall forward_keeping_;
  RecordedCall forward_reusing_;
};

}  // namespace sdx
