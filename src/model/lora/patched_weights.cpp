#include "model/lora/patched_weights.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "model/lora/lora_kinds.h"
#include "model/lora/lora_targets.h"

namespace sdx {

PatchedWeights::PatchedWeights(std::unique_ptr<MappedWeights> base, const BundleInfo& info,
                               LoraPart part, at::ScalarType dtype, const AppliedLoras& loras)
    : base_(std::move(base)), dtype_(dtype), loras_(loras) {
  const LoraTargets targets(part, base_->shapes());
  for (const AppliedLora& applied : loras_) {
    if (!reaches(applied, part)) continue;
    LoraFit fit;
    for (const auto& [parameter, patches] : pair_layers(*applied.lora, part, targets, info, fit)) {
      for (const LoraPatch& patch : patches) {
        changes_[parameter].push_back({patch, applied.strength(part)});
      }
    }
  }
}

at::Tensor PatchedWeights::weight(const std::string& name) const {
  const at::Tensor base = base_->weight(name);
  const auto found = changes_.find(name);
  if (found == changes_.end()) return base;
  const at::NoGradGuard no_grad;
  const at::Tensor whole = base.to(at::kFloat);
  at::Tensor sum = whole.clone();
  for (const Change& change : found->second) {
    sum.add_(compute_addition(*change.patch.layer, whole, change.patch.third), change.strength);
  }
  return sum.to(c10::promoteTypes(base.scalar_type(), dtype_));
}

std::unique_ptr<WeightSource> find_weights(const Bundle& bundle, LoraPart part,
                                           at::ScalarType dtype, const AppliedLoras& loras) {
  const bool is_reached = std::ranges::any_of(
      loras, [part](const AppliedLora& applied) { return reaches(applied, part); });
  const std::string name = find_part_name(bundle.info(), part);
  auto mapped = MappedWeights::find(bundle, name);
  if (!is_reached) return mapped;
  if (!mapped) list_lora_targets(bundle, part);  // says why no LoRA can be added
  return std::make_unique<PatchedWeights>(std::move(mapped), bundle.info(), part, dtype, loras);
}

bool reaches(const AppliedLora& applied, LoraPart part) {
  if (applied.strength(part) == 0 || !applied.lora) return false;
  return std::ranges::any_of(applied.lora->layers,
                             [part](const LoraLayer& layer) { return layer.part == part; });
}

}  // namespace sdx
