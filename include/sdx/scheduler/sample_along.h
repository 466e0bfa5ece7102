#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

#include "sdx/scheduler/sampling_points.h"

namespace sdx {

/// The picture x₀ that the model sees in a sample at a point; whatever becomes of the model's
/// output (guidance, masks) happens in here.
/// @param sample at the point, alpha·x₀ + sigma·ε; the point may lie between those of the schedule.
/// @param step   the step that is being taken, 0 … steps − 1.
using Denoiser =
    std::function<at::Tensor(const at::Tensor& sample, const SamplingPoint& point, int step)>;

/// Standard normal noise of the sample's shape, type and device. The draws of a walk are
/// independent; a draw is the same whatever steps came before, so that a walk from the middle sees
/// the noise that the whole walk saw.
/// @param draw the step; with DPM++ SDE 2·step and 2·step + 1, for the two halves of a step.
using NoiseSource = std::function<at::Tensor(int draw)>;

/// Called after each step with the steps done in this walk (from 1) and the sample at its end; may
/// throw to stop.
using SampleObserver = std::function<void(int steps_done, const at::Tensor& sample)>;

/// Pure noise as it enters the first point: as it is, or times the point's sigma for the samplers
/// that come from k-diffusion, as in diffusers and AUTOMATIC1111 (Stable Diffusion's noisiest
/// timestep still holds 0.5 % of the picture's square).
/// @param noise standard normal.
at::Tensor starting_sample(SamplerKind sampler, const at::Tensor& noise,
                           const SamplingPoint& first);

/// Walks from points[first_step] to the last point.
/// @param points     of sampling_points() with the same schedule and settings.
/// @param first_step 0 for pictures from noise; later for image-to-image, where `sample` is
///                   noised() to that point. Samplers that look back start without a past.
/// @param sample     at that point, any shape and float dtype.
/// @param noise      not called for samplers that draw none (draws_noise()).
/// @param observe    may be empty.
/// @return           the sample at the last point, for all but DDIM, PNDM and TCD the picture.
/// @throws InternalError if first_step is not that of a step.
at::Tensor sample_along(const NoiseSchedule& schedule, const SamplerSettings& settings,
                        const std::vector<SamplingPoint>& points, int first_step, at::Tensor sample,
                        const Denoiser& denoise, const NoiseSource& noise,
                        const SampleObserver& observe);

}  // namespace sdx
