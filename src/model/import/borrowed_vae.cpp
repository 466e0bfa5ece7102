#include "sdx/model/import/borrowed_vae.h"

#include <sstream>

#include "model/import/composed_part.h"
#include "model/import/replacement_vae.h"
#include "model/weight_source.h"
#include "sdx/util/error.h"
#include "sdx/util/sha256.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kShortHashDigits = 10;
constexpr const char* kPrograms[] = {"vae_encoder", "vae_decoder"};

void require_equal(const std::string& source, const BundleInfo& model, const std::string& what,
                   int expected, int found) {
  if (expected == found) return;
  throw DataError("`vae` " + source + ": expected an autoencoder with " + what + " " +
                  std::to_string(expected) + ", as the model " + model.name + " has it, found " +
                  std::to_string(found));
}

/// @param factor pixels to a latent, along each side
void require_fitting(const std::string& source, const BundleInfo& model, int channels, int factor) {
  require_equal(source, model, "latent_channels", model.latent_channels, channels);
  require_equal(source, model, "a reduction of", model.vae_factor, factor);
}

BorrowedVae borrow_from_bundle(const Bundle& bundle, const BundleInfo& model) {
  const BundleInfo& info = bundle.info();
  require_fitting(bundle.folder().string(), model, info.latent_channels, info.vae_factor);
  BorrowedVae vae;
  vae.name = info.name;
  vae.source = bundle.folder();
  vae.latent_scale =
      info.latent_scale * info.noise_schedule.edm.data / model.noise_schedule.edm.data;
  vae.latent_mean = info.latent_mean;
  vae.latent_deviation = info.latent_deviation;
  for (const char* program : kPrograms) {
    vae.programs[program] = bundle.checked_bytes(std::string(program) + ".ts");
  }
  vae.weights = MappedWeights::find(bundle, "vae");
  for (const char* file : {"vae.safetensors", "vae.link.json", "vae_decoder.ts"}) {
    if (!bundle.has_file(file)) continue;
    vae.hash = info.sha256.at(file).substr(0, kShortHashDigits);
    break;
  }
  return vae;
}

/// Of the weights' file, as AUTOMATIC1111 names autoencoders; empty where there are shards.
std::string hash_weights(const fs::path& file) {
  if (!fs::is_regular_file(file)) return "";
  return sha256_of_file(file).substr(0, kShortHashDigits);
}

BorrowedVae borrow_from_files(const fs::path& source, const BundleInfo& model) {
  ModelCheckpoint checkpoint;
  checkpoint.latent_scale = model.latent_scale * model.noise_schedule.edm.data;
  checkpoint.latent_mean = model.latent_mean;
  checkpoint.latent_deviation = model.latent_deviation;
  replace_vae(source, {}, checkpoint);
  require_fitting(source.string(), model, checkpoint.vae_config.latent_channels,
                  1 << (checkpoint.vae_config.channels.size() - 1));
  BorrowedVae vae;
  const fs::path named = source.has_filename() ? source : source.parent_path();
  vae.name = named.filename().string();
  vae.hash = hash_weights(checkpoint.vae.source);
  vae.source = source;
  vae.latent_scale = checkpoint.latent_scale / model.noise_schedule.edm.data;
  vae.latent_mean = checkpoint.latent_mean;
  vae.latent_deviation = checkpoint.latent_deviation;
  const ComposedPart part = compose_vae(checkpoint);
  for (const auto& [name, program] : part.programs) {
    std::ostringstream archive;
    program.module.save(archive);
    vae.programs[name] = archive.str();
  }
  vae.weights = std::make_shared<MappedWeights>(source.string(), checkpoint.vae.tensors);
  return vae;
}

}  // namespace

std::shared_ptr<const BorrowedVae> borrow_vae(const Bundle& model,
                                              const std::string& name_or_path) {
  const fs::path path = name_or_path;
  std::error_code ignored;
  const bool is_checkpoint = fs::is_regular_file(path, ignored) ||
                             (!fs::is_regular_file(path / "bundle.json", ignored) &&
                              (fs::is_regular_file(path / "config.json", ignored) ||
                               fs::is_regular_file(path / "model_index.json", ignored)));
  if (is_checkpoint) {
    return std::make_shared<BorrowedVae>(borrow_from_files(path, model.info()));
  }
  const bool is_path = name_or_path.find('/') != std::string::npos || path.has_extension();
  try {
    return std::make_shared<BorrowedVae>(
        borrow_from_bundle(Bundle::find(name_or_path, "vae"), model.info()));
  } catch (const MissingInputError& error) {
    if (!is_path) throw;
    throw MissingInputError("`vae` " + name_or_path +
                            ": no such file, nor a folder or model with an autoencoder");
  }
}

}  // namespace sdx
