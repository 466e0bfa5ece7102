#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "sdx/image/image.h"
#include "sdx/model/conditioning.h"
#include "sdx/model/lora.h"
#include "sdx/prompt/grammar.h"
#include "sdx/scheduler/sampling_points.h"
#include "sdx/util/enum_text.h"

namespace sdx {

/// A picture to begin with, in place of noise.
struct StartImage {
  Image image;
  /// White where the picture is to be made anew, black where it is to stay; of any size.
  std::optional<Image> mask;
};

/// The meaning of an empty negative prompt.
enum class EmptyNegative {
  kAuto,   ///< what the model advises: zeros for Stable Diffusion XL, else what is encoded
  kZeros,  ///< zeros: AUTOMATIC1111 and diffusers for Stable Diffusion XL
  kText,   ///< what the text encoders make of no text: ComfyUI, kohya; Stable Diffusion 1 and 2
};

template <>
inline constexpr std::array kEnumTexts<EmptyNegative> = {EnumText{EmptyNegative::kAuto, "auto"},
                                                         EnumText{EmptyNegative::kZeros, "zeros"},
                                                         EnumText{EmptyNegative::kText, "text"}};

/// A second pass at a larger size, which adds the detail that a model cannot compose at once.
struct HiresSettings {
  double scale = 1;       ///< of both sides; 1: no second pass
  double strength = 0.5;  ///< of the second pass, see ImageSettings::strength
  int steps = 0;          ///< of the second pass; 0: as many as of the first

  bool operator==(const HiresSettings&) const = default;
};

/// Whose name each face gets where several people are in a picture.
enum class FaceNames {
  kLeftToRight,  ///< the names as they come in the prompt, the faces from left to right
  kLikeness,     ///< each face the name that a network finds it most alike
};

template <>
inline constexpr std::array kEnumTexts<FaceNames> = {
    EnumText{FaceNames::kLeftToRight, "left-to-right"}, EnumText{FaceNames::kLikeness, "likeness"}};

/// A pass over the small faces of a finished picture, each enlarged to the model's size by itself:
/// a model draws a face of few latents badly.
struct FaceSettings {
  bool refine = false;
  /// In place of the picture's prompt; {name} in it stands for the face's own name. Empty: that.
  std::string prompt;
  double confidence = 0.3;  ///< see FaceSearch::confidence
  double strength = 0.4;    ///< see ImageSettings::strength
  int padding_px = 32;      ///< of the picture around the face, which the model sees with it
  double blur_px = 4;       ///< standard deviation of the edge between the new face and the picture
  double share = 0.1;       ///< of the picture's area; a face that takes more stays as it is
  FaceNames names = FaceNames::kLeftToRight;

  bool operator==(const FaceSettings&) const = default;
};

/// All settings that decide a picture, besides its prompts and seeds.
struct ImageSettings {
  SamplerSettings sampler;
  /// prediction = uncond + scale × Σ weight × (cond − uncond); 1 switches guidance off
  double guidance_scale = 7.0;
  /// How far the guided prediction's deviation is put back to the unguided one's, 0 … 1: for models
  /// with zero terminal SNR, 0.7. Lin et al. 2023, "Common Diffusion Noise Schedules and Sample
  /// Steps are Flawed".
  double guidance_rescale = 0;
  /// Share of the pass's steps, from the noisiest, that are guided; the others follow the prompt
  /// alone, for half of the work. 1: all. Castillo et al. 2023, "Adaptive Guidance"; Kynkäänniemi
  /// et al. 2024, "Applying Guidance in a Limited Interval Improves Sample and Distribution Quality
  /// in Diffusion Models".
  double guidance_end = 1;
  /// Of so many evaluations of the UNet one is made in full, the others with its deep features; 1:
  /// all in full. See UNet::forward_reusing.
  int feature_interval = 1;
  int width_px = 0;  ///< divisible by the bundle's vae_factor; 0 is the model's native size
  int height_px = 0;
  double aspect = 0;  ///< width by height where width_px and height_px are 0; 0: a square
  ImagePlace place;   ///< what SDXL is told; where a size is 0: the image's own
  EmptyNegative empty_negative = EmptyNegative::kAuto;
  int clip_skip = 1;  ///< 1: the text encoder's last layer; 2: the one before; …
  Grammar grammar = Grammar::kA1111;
  bool tile = false;  ///< the edges fit each other, left to right and top to bottom
  std::shared_ptr<const StartImage> start;
  double strength = 0.75;  ///< with `start`: share of the steps that are taken, 0 … 1
  HiresSettings hires;
  FaceSettings faces;  ///< after `hires`, before `upscale`
  /// The network that makes the finished picture larger, see Upscaler: a file, or the name of one
  /// among the models. Empty: none.
  std::string upscale;
  AppliedLoras loras;  ///< in the model while the picture is made; see resolve_loras()
  /// A TinyAutoencoder that decodes in place of the VAE, see find_tiny_autoencoder(); empty: none.
  std::string vae_approx;

  bool operator==(const ImageSettings&) const = default;
};

/// One picture to make. Its noise depends on its seeds alone, not on the batch.
struct ImageRequest {
  std::string prompt;
  std::string negative_prompt;
  std::uint64_t seed = 0;
  std::uint64_t variation_seed = 0;
  double variation_strength = 0;  ///< way from the seed's noise to the variation seed's, 0 … 1
  ImageSettings settings;

  bool operator==(const ImageRequest&) const = default;
};

}  // namespace sdx
