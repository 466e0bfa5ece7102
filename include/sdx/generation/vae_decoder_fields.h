#pragma once

#include <string>

#include "sdx/generation/infotext_format.h"

namespace sdx {

// What an image's text says of a tiny autoencoder that decoded it, ImageSettings::vae_approx.

inline constexpr const char* kVaeDecoderField = "VAE Decoder";  ///< AUTOMATIC1111's
inline constexpr const char* kTinyDecoder = "TAESD";            ///< its word there
inline constexpr const char* kVaeDecoderFileField = "VAE Decoder model";
inline constexpr const char* kVaeDecoderHashField = "VAE Decoder hash";

/// Adds the name of the file (of diffusers' folder) and the beginning of its SHA-256.
/// @throws as find_tiny_autoencoder.
void add_vae_decoder_fields(const std::string& vae_approx, Infotext& infotext);

/// The first digits of the SHA-256 of a tiny autoencoder's file, as texts have them.
/// @throws as find_tiny_autoencoder.
std::string hash_tiny_autoencoder(const std::string& vae_approx);

/// The tiny autoencoder that a text names, as ImageSettings::vae_approx, if it lies here; empty if
/// not. A name with a path in it is not followed.
std::string find_stated_tiny_autoencoder(const Infotext& infotext);

}  // namespace sdx
