#pragma once

#include <filesystem>
#include <memory>

#include "sdx/generation/generator.h"
#include "sdx/model/identity_network.h"
#include "sdx/training/inversion.h"

namespace sdx {

/// A model in use, loaded once to train and to make pictures.
struct LoadedModel {
  /// @param face_network see Identities::load_installed()
  /// @throws as Bundle::checked_file.
  LoadedModel(const Bundle& bundle, const ComputeTarget& target,
              const std::filesystem::path& face_network = {});
  LoadedModel(const LoadedModel&) = delete;  // its parts refer to each other
  LoadedModel& operator=(const LoadedModel&) = delete;

  Inversion::Model parts() const { return {bundle, *tokenizer, text_encoders, unet}; }

  Bundle bundle;
  ComputeTarget target;
  std::unique_ptr<Tokenizer> tokenizer;
  TextEncoders text_encoders;
  UNet unet;
  Identities identities;
  Generator generator;
};

}  // namespace sdx
