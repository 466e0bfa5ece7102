#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <filesystem>
#include <memory>
#include <string>

namespace sdx {

/// TAESD, the tiny autoencoder of Ollin Boer Bohan: about a million weights for each direction, in
/// place of a VAE's 50 and 34 million. Faces and letters come out softer; colours and composition
/// are those of the VAE. TAESD serves Stable Diffusion 1 and 2, TAESDXL Stable Diffusion XL. Their
/// anatomy is the same, so a file of the wrong one is not noticed: its colours are wrong.
///
/// Latents are those that the UNet sees: unlike a VAE's they have no scale of their own. Read are
///
/// - the author's `taesd_decoder` and `taesd_encoder` (names "1.weight"),
/// - both in one file (names "decoder.1.weight"; ComfyUI's "taesd_decoder.1.weight"),
/// - diffusers' AutoencoderTiny ("decoder.layers.0.weight"). The config.json beside it may not ask
///   for another scale or activation.
///
/// Computes in float32. May be used by several threads at once.
class TinyAutoencoder {
 public:
  /// @param file .safetensors or what torch.save wrote, whatever its name
  /// @throws DataError if it is none (the message says what it seems to be), has no decoder, or if
  ///         a weight is missing, has another shape, or is not finite; MissingInputError,
  ///         PermissionError, IoError. Messages begin with the file's name.
  TinyAutoencoder(const std::filesystem::path& file, c10::Device device);
  ~TinyAutoencoder();
  TinyAutoencoder(TinyAutoencoder&&) noexcept;
  TinyAutoencoder& operator=(TinyAutoencoder&&) noexcept;

  int latent_channels() const;
  /// Pixels to a latent, along each side.
  int factor() const;
  bool has_encoder() const;

  /// @param latents [B,C,h,w] on any device, scaled as the UNet sees them
  /// @return        [B,3,8h,8w] float32, about −1 … 1, not clamped
  at::Tensor decode(const at::Tensor& latents) const;

  /// @param images [B,3,H,W] in −1 … 1, sides divisible by factor()
  /// @return       [B,C,H/8,W/8] float32, scaled as the UNet sees them
  /// @throws InternalError unless has_encoder().
  at::Tensor encode(const at::Tensor& images) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The file that a setting means: a path, or a name in one of the folders of models
/// (list_model_folders()), with or without its ending. Of a folder of diffusers it is the weights'.
/// @param setting for messages
/// @throws MissingInputError that says where it was looked for; DataError for a folder that holds
///         no weights.
std::filesystem::path find_tiny_autoencoder(const std::string& name, const std::string& setting);

}  // namespace sdx
