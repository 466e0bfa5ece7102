#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sdx/model/bundle.h"
#include "sdx/model/import/schedule_choice.h"
#include "sdx/util/enum_text.h"

namespace sdx {

/// The floating-point type of a bundle's weights.
enum class WeightsDtype { kKeep, kFp32, kFp16, kBf16 };

template <>
inline constexpr std::array kEnumTexts<WeightsDtype> = {
    EnumText{WeightsDtype::kKeep, "keep"}, EnumText{WeightsDtype::kFp32, "fp32"},
    EnumText{WeightsDtype::kFp16, "fp16"}, EnumText{WeightsDtype::kBf16, "bf16"}};

struct ImportOptions {
  std::string name;                          ///< what the bundle calls itself
  bool replace = false;                      ///< an existing bundle
  bool link = false;                         ///< refer to the weights where they lie
  WeightsDtype dtype = WeightsDtype::kKeep;  ///< of the weights in the bundle
  std::optional<PredictionType> prediction;  ///< nothing: what the checkpoint says
  ScheduleChoice schedule;                   ///< what the checkpoint does not say of its schedule
  std::string variant;                       ///< of a diffusers folder's files, e.g. "fp16"
  std::filesystem::path vae;                 ///< another autoencoder; empty: the checkpoint's own
};

struct ImportReport {
  BundleInfo info;
  std::vector<std::string> unused;   ///< tensors of the checkpoint that the model has no use for
  std::vector<std::string> remarks;  ///< what was chosen for the user, a sentence each
  /// Words that textual inversion has put into the checkpoint's tokenizers and text encoders: their
  /// vectors [K,W] float32 for each text encoder, by their names without brackets. The bundle does
  /// not have them.
  std::map<std::string, std::vector<at::Tensor>> learnt;
};

/// Bytes of weights written (or, with `link`, read) so far and in all; may throw to stop.
using ImportObserver = std::function<void(std::uint64_t done, std::uint64_t total)>;

/// Turns a Stable Diffusion 1, 2 or XL checkpoint, at any width, into a bundle: a folder in
/// diffusers' layout, or a single file in the original layout, of safetensors or of torch.save,
/// whatever it is called. The TorchScript programs are composed from what the checkpoint says of
/// itself, the weights are copied tensor by tensor. Nothing of the checkpoint is executed, and no
/// Python is needed.
///
/// A file `sdx.json` in a folder may recommend settings: `licence`, `guidance_scale`, `sampler`,
/// `init_text`, and list the `known_words` of a small model's captions.
/// The bundle appears whole or not at all, and others can read it as the umask allows. What is
/// replaced must be a bundle, and a process that makes the same one at the same time ends. Memory
/// stays below the checkpoint's size plus the largest tensor: weights are mapped.
///
/// With `link` the bundle holds no weights but the places of all tensors in the checkpoint's files,
/// whose size, time and hash are recorded: it works as long as they stay what and where they are.
/// @throws DataError for a config value that these anatomies do not have (key, found, expected), a
///         tensor that is missing, misshapen, unknown or not finite (name, expected and found), and
///         for files that are something else (a refiner, a LoRA, a VAE), saying
///         what; MissingInputError naming the file; CannotCreateError if `destination` exists, or
///         is to be replaced and is no bundle; TryAgainError if another process makes it;
///         UsageError for `link` together with `dtype`, for a `schedule` that contradicts
///         `prediction` or asks for what the model cannot have.
ImportReport import_checkpoint(const std::filesystem::path& checkpoint,
                               const std::filesystem::path& destination,
                               const ImportOptions& options, const ImportObserver& observe = {});

}  // namespace sdx
