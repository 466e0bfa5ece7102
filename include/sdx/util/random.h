#pragma once

#include <array>
#include <cstdint>

namespace sdx {

/// One block of Philox-4x32 with 10 rounds: four random words for each 128-bit counter and 64-bit
/// key. Integers only, so the same on every processor and compiler.
/// Source: Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3" (SC11); checked against the
/// known answers of Random123.
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key);

/// The purpose of a stream of random numbers. Two purposes never share numbers, so a new draw in
/// one place cannot shift the noise of another. The values are part of what a seed means: never
/// renumber.
enum class RandomPurpose : std::uint32_t {
  kInitialLatents = 1,  ///< index: 0; the seed itself is the image's
  kTrainingPick = 2,    ///< index: step; which portrait, template and timestep
  kTrainingNoise = 3,   ///< index: step
  kFixedBatch = 4,      ///< index: 0; the batch on which progress is measured
  kJudge = 5,           ///< index: 0; the noise by which prompts are told apart
  kDynamicPrompt = 6,   ///< index: 0; the choices of a dynamic prompt
  kSamplerNoise = 7,    ///< index: draw (step) of the sampler; the seed itself is the image's
  kFaceSeed = 8,        ///< index: the face, from the left; the seed of its pass
};

/// The random numbers of one (seed, purpose, index): cheap to make, never shared.
/// The sequence is the same on every machine; `normal()` may differ in its last bit where libm
/// does.
class RandomStream {
 public:
  RandomStream(std::uint64_t seed, RandomPurpose purpose, std::uint64_t index = 0);

  /// Uniform over all 32-bit words.
  std::uint32_t word();
  /// Uniform integer in [0, bound), without bias. `bound` must be at least 1.
  std::uint32_t below(std::uint32_t bound);
  /// Standard normal by Box–Muller on two words.
  float normal();

 private:
  std::array<std::uint32_t, 2> key_;
  std::array<std::uint32_t, 4> counter_;
  std::array<std::uint32_t, 4> block_{};
  unsigned used_ = 4;
  float spare_normal_ = 0;
  bool has_spare_normal_ = false;
};

}  // namespace sdx
