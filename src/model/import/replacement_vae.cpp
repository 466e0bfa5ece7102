#include "model/import/replacement_vae.h"

#include <utility>

#include "model/import/diffusers.h"
#include "model/import/original_vae.h"
#include "model/import/tensor_file.h"
#include "model/import/tensor_names.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

/// The tensors of the autoencoder alone, without what training programs leave beside them.
TensorMap find_vae(const TensorMap& tensors) {
  TensorMap found =
      holds_prefix(tensors, kVaePrefix) ? without_prefix(tensors, kVaePrefix) : tensors;
  std::erase_if(found, [](const auto& entry) {
    return !entry.first.starts_with("encoder.") && !entry.first.starts_with("decoder.") &&
           !entry.first.starts_with("quant_conv.") && !entry.first.starts_with("post_quant_conv.");
  });
  return found;
}

void read_vae_file(const fs::path& path, ModelCheckpoint& checkpoint) {
  TensorFile content = map_tensor_file(path);
  const TensorMap tensors = find_vae(content.tensors);
  const bool is_of_diffusers = holds_prefix(tensors, "encoder.down_blocks.");
  if (!is_of_diffusers && !holds_prefix(tensors, "encoder.down.")) {
    throw DataError(path.string() + ": expected an autoencoder, found no tensor \"encoder.down*\"");
  }
  if (is_of_diffusers) {
    checkpoint.vae = {canonical_vae_weights(tensors), path.string(), {}};
    checkpoint.vae_config = read_vae_shapes(checkpoint.vae.tensors, path.string());
  } else {
    OriginalVae vae = read_original_vae(tensors, path.string());
    checkpoint.vae_config = vae.config;
    checkpoint.vae = {std::move(vae.tensors), path.string(), std::move(vae.names)};
  }
  if (content.source) checkpoint.files.push_back(*content.source);
}

}  // namespace

void replace_vae(const fs::path& source, const ImportOptions& options,
                 ModelCheckpoint& checkpoint) {
  require_readable(source);
  if (!fs::is_directory(source)) {
    read_vae_file(source, checkpoint);
  } else {
    const bool is_whole_model = fs::is_regular_file(source / "model_index.json");
    read_vae_folder(is_whole_model ? source / "vae" : source, options, checkpoint);
  }
  checkpoint.remarks.push_back("The autoencoder is that of " + source.filename().string() + ".");
}

}  // namespace sdx
