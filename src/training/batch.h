#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <vector>

#include "sdx/dataset/latents.h"
#include "sdx/prompt/prompt.h"
#include "sdx/scheduler/noise_schedule.h"
#include "sdx/training/inversion.h"
#include "sdx/util/random.h"

namespace sdx {

/// One gradient step's worth of data, B rows.
struct TrainingBatch {
  at::Tensor latents;        ///< [B,4,h,w]
  at::Tensor noise;          ///< [B,4,h,w]
  at::Tensor noisy_latents;  ///< [B,4,h,w]
  at::Tensor target;         ///< [B,4,h,w], noise or velocity
  at::Tensor weight;         ///< [B,1,h,w] of the squared errors, or undefined: all 1
  at::Tensor timesteps;      ///< [B] int64
  at::Tensor size_ids;       ///< [B,6] float32 of the pictures, or undefined: see PortraitLatents
  std::vector<const TokenizedPrompt*> prompts;  ///< B, of the TrainingData drawn from
};

/// Where batches are drawn from.
struct TrainingData {
  PortraitLatents portraits;
  std::vector<TokenizedPrompt> sentences;  ///< with `<Name>`
  NoiseSchedule schedule;
};

/// `size` rows; the picture, template and place within a stratum of the schedule of each come from
/// `pick`, their noise from `noise`.
/// @param data outlives the batch
TrainingBatch draw_batch(const TrainingData& data, const InversionOptions& options, int size,
                         RandomStream pick, RandomStream noise);

/// Rows first … first + count − 1.
TrainingBatch take_rows(const TrainingBatch& batch, int first, int count);

/// Of its longest prompt; the others are filled up with empty chunks.
std::size_t chunk_count(const TrainingBatch& batch);

}  // namespace sdx
