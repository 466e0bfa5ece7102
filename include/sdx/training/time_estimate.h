#pragma once

#include <cstdint>
#include <string>

#include "sdx/training/memory_estimate.h"
#include "sdx/training/training_spec.h"

namespace sdx {

/// How long the UNet with the text encoders takes for one picture.
struct PictureTimes {
  double with_gradient_s = 0;  ///< of a training step
  double pass_s = 0;           ///< of one pass without a gradient
};

/// A step on a small picture: its arithmetic, counted exactly, and how long it took.
struct MeasuredStep {
  double operations = 0;  ///< floating-point ones, see FlopMeter
  double seconds = 0;
};

/// How long a larger step takes: the time of small steps grows with their arithmetic, beside what
/// each step takes whatever its size (reading all weights). Operations are counted, so an error of
/// the clock grows only as the work does.
/// @param small, large steps of fewer and of more operations
/// @param operations   of the step in question
double extrapolate_seconds(const MeasuredStep& small, const MeasuredStep& large, double operations);

/// Measures small pictures, and extrapolates to the size of `shape` by the arithmetic that it
/// takes: it grows with the area, and that of attention with its square. Takes about as long as a
/// step on one picture of 768 × 768. Meant for a processor: a GPU's first calls say nothing about
/// its later ones.
/// @throws DataError as UNet::forward.
PictureTimes measure_picture_times(const TextEncoders& text_encoders, const UNet& unet,
                                   const StepShape& shape, GradientMemory memory);

/// The work of a training, counted in pictures that go through the UNet.
struct TrainingWork {
  std::int64_t steps = 0;              ///< at most
  std::int64_t step_pictures = 0;      ///< of one step, with their gradient
  std::int64_t measured_pictures = 0;  ///< of all measurements of the loss on the fixed batch
  std::int64_t evaluations = 0;        ///< milestones, at most
  std::int64_t evaluation_passes = 0;  ///< of one evaluation: previews, and what judges them
};

/// @param steps_done by an earlier process
/// @param previews   prompts that an evaluation makes a picture of
TrainingWork count_work(const InversionOptions& options, const TrainerOptions& trainer,
                        int steps_done, std::size_t previews);

double estimate_seconds(const TrainingWork& work, const PictureTimes& times);

/// A sentence for the person who waits: how long it will take at most, of what, and what would be
/// quicker. Settings are named by key.
std::string describe_time(const TrainingWork& work, const PictureTimes& times);

/// Trainings that take longer than this are announced with describe_time().
inline constexpr double kLongTrainingSeconds = 600;

}  // namespace sdx
