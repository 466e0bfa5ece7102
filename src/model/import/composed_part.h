#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "model/import/checkpoint.h"
#include "model/import/composer.h"

namespace sdx {

/// A part of a model with the programs that compute it.
struct ComposedPart {
  std::string name;            ///< of its files
  const PartWeights& weights;  ///< of the checkpoint, which outlives it
  std::vector<std::pair<std::string, Composer::Program>> programs;
};

/// The files of the text encoders, counted as diffusers does it.
std::string name_text_encoder(std::size_t index);

/// The autoencoder with both its programs.
/// @throws DataError for a tensor that is missing, misshapen or unknown.
ComposedPart compose_vae(const ModelCheckpoint& checkpoint);

/// Composes every program before anything is written: a checkpoint that does not fit is refused
/// within a second.
/// @throws DataError also for parts that do not fit each other.
std::vector<ComposedPart> compose_parts(const ModelCheckpoint& checkpoint);

}  // namespace sdx
