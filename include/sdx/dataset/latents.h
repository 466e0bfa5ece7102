#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>
#include <vector>

#include "sdx/dataset/portraits.h"
#include "sdx/device/device.h"
#include "sdx/model/bundle.h"
#include "sdx/model/conditioning.h"
#include "sdx/model/vae.h"

namespace sdx {

/// Options for how portraits become latents.
struct LatentOptions {
  bool mirror = false;     ///< use each picture a second time, with left and right exchanged
  bool mask_face = false;  ///< make weights for the loss, which leave little of the background
};

/// The latents that a word is learnt from: N rows for the used portraits in their order, each
/// followed by its mirror image if that was asked for.
struct PortraitLatents {
  LatentDistribution distribution;  ///< [N,4,h,w] float32, on the CPU
  at::Tensor mask = {};  ///< [N,1,h,w] float32 in 0 … 1; undefined unless masks were asked for
  int encoded = 0;       ///< how many rows were not in the cache
  std::vector<std::string> new_files = {};  ///< names of portraits that a cache did not hold
  int gone = 0;                    ///< how many portraits a cache holds that are not there any more
  std::string cache_problem = {};  ///< why the cache was not read; empty if it was, or is not there
  /// [N,6] float32: make_size_ids() of describe_place(); undefined unless the model is told the
  /// image's size. Not in the cache: they follow from the portraits.
  at::Tensor size_ids = {};
};

/// Where in its original the square of a portrait lies, as diffusers and OneTrainer tell it to SDXL
/// in training: the original's size before it was scaled, and what was cut off, at the scale of the
/// square. A square that reaches beyond the picture begins at its edge. The mirror image of a
/// square lies where the square would in the mirrored original.
ImagePlace describe_place(const Portrait& portrait, bool is_mirrored);

/// Encodes portraits with the bundle's VAE, each once. Latents that `cache_file` holds for the same
/// pixels, VAE and dtype are taken from there; if all are, the VAE is not even loaded. A damaged
/// cache counts as none. The file is rewritten if it lacks portraits or holds too many.
/// @param portraits at least one used.
/// @param cache_file a safetensors file in a folder that exists; empty: no cache.
/// @throws as write_safetensors, and what loading the VAE throws.
PortraitLatents encode_portraits(const std::vector<Portrait>& portraits, const Bundle& bundle,
                                 const ComputeTarget& target, const LatentOptions& options,
                                 const std::filesystem::path& cache_file = {});

/// How much each latent of a portrait counts: 1 in an ellipse around the face and the hair,
/// falling smoothly to 0.1 at half as far again; the mean over the pixels of each latent. All 1
/// where no face is known.
/// @return [1,1,s/f,s/f] float32 for a square of s pixels and f pixels to a latent.
at::Tensor face_mask(const Portrait& portrait, int vae_factor);

}  // namespace sdx
