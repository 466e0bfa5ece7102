#pragma once

#include <memory>
#include <optional>

#include "sdx/device/device.h"
#include "sdx/model/bundle.h"
#include "sdx/model/lora.h"
#include "sdx/model/text_encoders.h"
#include "sdx/model/unet.h"
#include "sdx/tokenizer/tokenizer.h"

namespace sdx {

/// A UNet that is loaded anew when other LoRAs are wanted: there is one variant at a time.
class ChangingUNet {
 public:
  ChangingUNet(const Bundle& bundle, const ComputeTarget& target)
      : bundle_(bundle), unet_(bundle, target, ModelUse::kInference) {}

  const UNet& get() const { return unet_; }

  /// @throws as UNet::reload.
  void apply(const AppliedLoras& loras) {
    if (applied_ == loras) return;
    applied_.reset();
    unet_.reload(bundle_, loras);
    applied_ = loras;
  }

 private:
  Bundle bundle_;
  UNet unet_;
  std::optional<AppliedLoras> applied_ = AppliedLoras();  ///< nothing: loading has failed
};

/// What a generator that is on its own loads for itself.
class OwnParts {
 public:
  OwnParts(const Bundle& bundle, const ComputeTarget& target)
      : bundle_(bundle),
        tokenizer_(bundle.load_tokenizer()),
        text_encoders_(bundle, target.device),
        unet_(bundle, target) {}

  const Tokenizer& tokenizer() const { return *tokenizer_; }
  const TextEncoders& text_encoders() const { return text_encoders_; }
  const UNet& unet() const { return unet_.get(); }

  /// Loads what other LoRAs than the present ones change.
  /// @return whether there was anything to do; then what was encoded before is of no use.
  /// @throws as UNet::reload and TextEncoders::reload.
  bool apply(const AppliedLoras& loras) {
    if (applied_ == loras) return false;
    applied_.reset();
    text_encoders_.reload(bundle_, loras);
    unet_.apply(loras);
    applied_ = loras;
    return true;
  }

 private:
  Bundle bundle_;
  std::unique_ptr<Tokenizer> tokenizer_;
  TextEncoders text_encoders_;
  ChangingUNet unet_;
  std::optional<AppliedLoras> applied_ = AppliedLoras();  ///< nothing: loading has failed
};

}  // namespace sdx
