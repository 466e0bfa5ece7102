#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sdx/model/bundle.h"

namespace sdx {

class WeightSource;

/// An autoencoder from elsewhere that takes the place of a model's own in one run: see
/// Bundle::with_vae(). Nothing of it is written to the disk.
struct BorrowedVae {
  std::string name;  ///< of the file, folder or model, without a path: as pictures name it
  std::string hash;  ///< first 10 hex digits of the SHA-256 of its weights, or ""
  std::filesystem::path source;  ///< for messages
  double latent_scale = 1;       ///< this and the next two: as in BundleInfo
  std::vector<double> latent_mean;
  std::vector<double> latent_deviation;
  std::map<std::string, std::string> programs;  ///< TorchScript of vae_encoder and vae_decoder
  std::shared_ptr<const WeightSource> weights;  ///< null: the programs carry their own
};

/// The autoencoder that a person names for `model`.
/// @param name_or_path a file with the tensors of an autoencoder, alone or in a whole checkpoint,
///        under the original names or diffusers'; a folder in diffusers' layout, of the autoencoder
///        or of a whole model; or an installed model, by name or folder. A file does not say its
///        scale: then that of `model` holds.
/// @throws DataError if it is none or is for other latents than `model` has; MissingInputError.
std::shared_ptr<const BorrowedVae> borrow_vae(const Bundle& model, const std::string& name_or_path);

}  // namespace sdx
