#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "model/lora/lora_fit.h"
#include "model/weight_source.h"
#include "sdx/model/lora.h"

namespace sdx {

/// The weights of a part with LoRAs added to them. Only what they change is copied; everything else
/// stays what the other source has, mapped.
class PatchedWeights : public WeightSource {
 public:
  /// @param base what is changed
  /// @param dtype in which the model computes: a changed weight is no coarser than this, so that a
  ///        float16 file that computes in float32 loses nothing of a small difference
  /// @throws DataError as fit_lora().
  PatchedWeights(std::unique_ptr<MappedWeights> base, const BundleInfo& info, LoraPart part,
                 at::ScalarType dtype, const AppliedLoras& loras);

  /// Computed in float32: weight + Σ strength · addition, each addition of the weight as it was.
  at::Tensor weight(const std::string& name) const override;

  /// How many weights are changed.
  std::size_t size() const { return changes_.size(); }

 private:
  struct Change {
    LoraPatch patch;
    double strength;
  };

  std::unique_ptr<MappedWeights> base_;
  at::ScalarType dtype_;
  AppliedLoras loras_;  ///< keeps the layers
  std::map<std::string, std::vector<Change>> changes_;
};

/// The weights of a part with the LoRAs that reach it.
/// @return null where the program carries its weights itself, and no LoRA is to change them
/// @throws as MappedWeights::find, fit_lora() and list_lora_targets().
std::unique_ptr<WeightSource> find_weights(const Bundle& bundle, LoraPart part,
                                           at::ScalarType dtype, const AppliedLoras& loras);

/// Whether a LoRA changes a part at its strength.
bool reaches(const AppliedLora& applied, LoraPart part);

}  // namespace sdx
