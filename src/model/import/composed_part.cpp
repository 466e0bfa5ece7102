#include "model/import/composed_part.h"

#include <algorithm>

#include "model/import/fitting_parts.h"
#include "sdx/util/error.h"

namespace sdx {

namespace {

void refuse_unknown_tensors(const ComposedPart& part) {
  for (const auto& [name, tensor] : part.weights.tensors) {
    const bool used = std::any_of(
        part.programs.begin(), part.programs.end(),
        [&name = name](const auto& program) { return program.second.used.contains(name); });
    if (!used) {
      const auto in_file = part.weights.names.find(name);
      throw DataError(part.weights.source + ": tensor \"" +
                      (in_file == part.weights.names.end() ? name : in_file->second) +
                      "\" is unknown: this anatomy has no place for it");
    }
  }
}

}  // namespace

std::string name_text_encoder(std::size_t index) {
  return index == 0 ? "text_encoder" : "text_encoder_" + std::to_string(index + 1);
}

ComposedPart compose_vae(const ModelCheckpoint& checkpoint) {
  const PartWeights& vae = checkpoint.vae;
  ComposedPart part{"vae", vae, {}};
  part.programs.emplace_back("vae_encoder",
                             compose_vae_encoder(checkpoint.vae_config, vae.tensors, vae.source));
  part.programs.emplace_back("vae_decoder",
                             compose_vae_decoder(checkpoint.vae_config, vae.tensors, vae.source));
  refuse_unknown_tensors(part);
  return part;
}

std::vector<ComposedPart> compose_parts(const ModelCheckpoint& checkpoint) {
  require_fitting_parts(checkpoint);
  std::vector<ComposedPart> parts;
  for (std::size_t i = 0; i < checkpoint.text_encoders.size(); ++i) {
    const auto& [config, text, pad] = checkpoint.text_encoders[i];
    parts.push_back({name_text_encoder(i), text, {}});
    parts.back().programs.emplace_back(parts.back().name,
                                       compose_text_encoder(config, text.tensors, text.source));
    refuse_unknown_tensors(parts.back());
  }
  const PartWeights& unet = checkpoint.unet;
  parts.push_back({"unet", unet, {}});
  parts.back().programs.emplace_back(
      "unet", compose_unet(checkpoint.unet_config, unet.tensors, unet.source));
  refuse_unknown_tensors(parts.back());
  parts.push_back(compose_vae(checkpoint));
  if (checkpoint.identity_config) {
    const PartWeights& identity = checkpoint.identity;
    parts.push_back({"identity", identity, {}});
    parts.back().programs.emplace_back(
        "identity",
        compose_identity(*checkpoint.identity_config, identity.tensors, identity.source));
    refuse_unknown_tensors(parts.back());
  }
  return parts;
}

}  // namespace sdx
