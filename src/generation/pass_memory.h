#pragma once

#include "sdx/device/device.h"
#include "sdx/generation/settings.h"
#include "sdx/model/bundle.h"
#include "sdx/model/text_encoders.h"
#include "sdx/model/unet.h"
#include "sdx/tokenizer/tokenizer.h"

namespace sdx {

/// How much memory a pass over a picture takes, by an evaluation of the UNet that is measured once.
class PassMemory {
 public:
  /// All outlive it.
  PassMemory(const BundleInfo& info, const Tokenizer& tokenizer, const TextEncoders& text_encoders,
             const UNet& unet, c10::Device device)
      : info_(info),
        tokenizer_(tokenizer),
        text_encoders_(text_encoders),
        unet_(unet),
        device_(device) {}

  /// As Generator::estimate_bytes().
  double estimate_bytes(const ImageSettings& settings) const;

  /// Refuses a picture of more than 16 times the model's native area that does not fit.
  /// @throws TryAgainError.
  void check(const ImageSettings& settings) const;

 private:
  double evaluation_bytes() const;

  const BundleInfo& info_;
  const Tokenizer& tokenizer_;
  const TextEncoders& text_encoders_;
  const UNet& unet_;
  c10::Device device_;
  mutable double unet_bytes_ = 0;  ///< for a latent; 0: not measured yet
};

}  // namespace sdx
