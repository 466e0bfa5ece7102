#include "sdx/model/import/import.h"

#include <ATen/ops/isfinite.h>
#include <ATen/ops/sum.h>

#include <sstream>
#include <system_error>

#include "model/import/composed_part.h"
#include "model/import/diffusers.h"
#include "model/import/replacement_vae.h"
#include "model/import/single_file.h"
#include "model/import/staging_folder.h"
#include "model/import/tensor_file.h"
#include "model/linked_weights.h"
#include "sdx/tokenizer/tokenizer.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

/// Nothing for kKeep.
std::optional<at::ScalarType> scalar_type(WeightsDtype dtype) {
  switch (dtype) {
    case WeightsDtype::kKeep:
      return std::nullopt;
    case WeightsDtype::kFp32:
      return at::kFloat;
    case WeightsDtype::kFp16:
      return at::kHalf;
    case WeightsDtype::kBf16:
      return at::kBFloat16;
  }
  throw InternalError("a type of weights without a type of tensors");
}

std::string dtype_text(at::ScalarType type) {
  for (const auto& dtype : kEnumTexts<WeightsDtype>) {
    if (scalar_type(dtype.value) == type) return std::string(dtype.text);
  }
  throw DataError("weights of the type " + std::string(c10::toString(type)) +
                  ": expected 16 or 32 bit floating point");
}

/// A sum is not finite where one of its terms is not, and needs no second tensor.
void require_finite(const at::Tensor& tensor, const std::string& name, const std::string& source) {
  if (!at::isfinite(at::sum(tensor, at::kDouble)).item<bool>()) {
    throw DataError(
        source + ": tensor \"" + name +
        "\" holds values that are not finite (NaN or infinite): the file is damaged, or " +
        "the type chosen with `dtype` too narrow");
  }
}

void write_parts(const std::vector<ComposedPart>& parts, const ModelCheckpoint& checkpoint,
                 const ImportOptions& options, const fs::path& folder,
                 const ImportObserver& observer) {
  const std::optional<at::ScalarType> float_type = scalar_type(options.dtype);
  std::uint64_t total = 0;
  for (const ComposedPart& part : parts) {
    for (const auto& [name, tensor] : part.weights.tensors) {
      total += static_cast<std::uint64_t>(tensor.numel()) *
               c10::elementSize(float_type.value_or(tensor.scalar_type()));
    }
  }
  std::uint64_t done = 0;
  for (const ComposedPart& part : parts) {
    for (const auto& [name, program] : part.programs) {
      std::ostringstream archive;
      program.module.save(archive);
      write_file_atomically(folder / (name + ".ts"), archive.str());
    }
    const auto observe = [&](const std::string& name, const at::Tensor& tensor) {
      require_finite(tensor, name, part.weights.source);
      done += tensor.nbytes();
      if (observer) observer(done, total);
    };
    if (options.link) {
      if (checkpoint.files.empty()) {
        throw UsageError("`link` needs .safetensors files; " + part.weights.source + " is none");
      }
      for (const auto& [name, tensor] : part.weights.tensors) observe(name, tensor);
      write_linked_weights(folder / (part.name + ".link.json"), part.weights.tensors,
                           checkpoint.files, [&] {
                             if (observer) observer(done, total);
                           });
    } else {
      write_safetensors(folder / (part.name + ".safetensors"), part.weights.tensors, {},
                        {float_type, observe});
    }
  }
}

/// Writes the vocabulary and proves it and the settings before the bundle is taken for whole.
void add_tokenizer(const ModelCheckpoint& checkpoint, const fs::path& folder) {
  fs::create_directory(folder);
  write_tokenizer(checkpoint.tokenizer_folder, folder);
  const auto tokenizer = load_tokenizer(folder, checkpoint.tokenizer);
  for (const CheckpointTextEncoder& encoder : checkpoint.text_encoders) {
    if (tokenizer->vocabulary_size() <= encoder.config.vocabulary) continue;
    throw DataError(checkpoint.tokenizer_folder.string() + ": its vocabulary has " +
                    std::to_string(tokenizer->vocabulary_size()) +
                    " entries, the text encoder's table has rows for " +
                    std::to_string(encoder.config.vocabulary));
  }
}

ModelFamily family(const ModelCheckpoint& checkpoint) {
  if (checkpoint.unet_config.pooled_width > 0) return ModelFamily::kSdxl;
  // Linear layers around the transformers, instead of convolutions, came with version 2.
  return checkpoint.unet_config.linear_projection ? ModelFamily::kSd2 : ModelFamily::kSd1;
}

BundleInfo describe(const ModelCheckpoint& checkpoint, const ImportOptions& options) {
  BundleInfo info;
  info.name = options.name;
  info.family = family(checkpoint);
  info.text_encoders.clear();
  for (std::size_t i = 0; i < checkpoint.text_encoders.size(); ++i) {
    const auto& [config, weights, pad] = checkpoint.text_encoders[i];
    info.text_encoders.push_back({name_text_encoder(i), config.width, config.read_layers(), pad});
  }
  info.size_ids = checkpoint.unet_config.pooled_width > 0;
  info.zero_empty_negative = checkpoint.zero_empty_negative;
  info.native_size_px = checkpoint.native_size_px;
  info.latent_channels = checkpoint.vae_config.latent_channels;
  info.inpainting = checkpoint.unet_config.in_channels > info.latent_channels;
  info.vae_factor = 1 << (checkpoint.vae_config.channels.size() - 1);
  // Latents here have unit deviation, whatever the training's had.
  info.latent_scale = checkpoint.latent_scale / checkpoint.noise_schedule.edm.data;
  info.latent_mean = checkpoint.latent_mean;
  info.latent_deviation = checkpoint.latent_deviation;
  info.noise_schedule = checkpoint.noise_schedule;
  info.tokenizer = checkpoint.tokenizer;
  info.advice.guidance_scale = checkpoint.guidance_scale.value_or(info.advice.guidance_scale);
  info.advice.sampler = checkpoint.sampler.value_or(info.advice.sampler);
  info.init_text = checkpoint.init_text.value_or(info.init_text);
  info.known_words = checkpoint.known_words;
  if (checkpoint.identity_config) {
    info.identity = {checkpoint.identity_config->size_px,
                     checkpoint.identity_config->same_person_cosine};
  }
  info.licence = checkpoint.licence;
  info.dtype = options.dtype == WeightsDtype::kKeep
                   ? dtype_text(checkpoint.unet.tensors.begin()->second.scalar_type())
                   : std::string(to_string(options.dtype));
  return info;
}

}  // namespace

ImportReport import_checkpoint(const fs::path& source, const fs::path& destination,
                               const ImportOptions& options, const ImportObserver& observer) {
  if (options.link && options.dtype != WeightsDtype::kKeep) {
    throw UsageError("`link` refers to the weights as they are; `dtype` needs a copy");
  }
  require_readable(source);
  if (is_taken(destination)) {
    if (!options.replace) {
      throw CannotCreateError(destination.string() + ": exists already; `force` replaces it");
    }
    require_replaceable(destination);
  }
  ImportOptions reading = options;
  reading.prediction = merge_prediction(options);
  ModelCheckpoint checkpoint = fs::is_directory(source) ? read_diffusers_folder(source, reading)
                                                        : read_single_file(source, reading);
  apply_schedule(reading, checkpoint);
  if (!options.vae.empty()) replace_vae(options.vae, options, checkpoint);
  const std::vector<ComposedPart> parts = compose_parts(checkpoint);

  StagingFolder staging(destination);
  write_parts(parts, checkpoint, options, staging.path(), observer);
  add_tokenizer(checkpoint, staging.path() / "tokenizer");
  BundleInfo info = describe(checkpoint, options);
  const fs::path named = source.has_filename() ? source : source.parent_path();
  info.origin = named.filename().string();
  write_bundle_info(staging.path(), info, [&] {
    if (observer) observer(1, 1);
  });
  staging.commit(options.replace);
  return {Bundle::open(destination).info(), checkpoint.unused, checkpoint.remarks,
          checkpoint.learnt};
}

}  // namespace sdx
