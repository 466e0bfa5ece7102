#include "sdx/util/random.h"

#include <cmath>
#include <numbers>

#include "sdx/util/error.h"

namespace sdx {
namespace {

constexpr std::uint32_t kMultiplier0 = 0xD2511F53;
constexpr std::uint32_t kMultiplier1 = 0xCD9E8D57;
constexpr std::uint32_t kWeyl0 = 0x9E3779B9;  // golden ratio
constexpr std::uint32_t kWeyl1 = 0xBB67AE85;  // sqrt(3) - 1
constexpr int kRounds = 10;

constexpr std::uint32_t low_word(std::uint64_t value) { return static_cast<std::uint32_t>(value); }
constexpr std::uint32_t high_word(std::uint64_t value) {
  return static_cast<std::uint32_t>(value >> 32U);
}

}  // namespace

std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < kRounds; ++round) {
    const std::uint64_t product0 = std::uint64_t{kMultiplier0} * counter[0];
    const std::uint64_t product1 = std::uint64_t{kMultiplier1} * counter[2];
    counter = {high_word(product1) ^ counter[1] ^ key[0], low_word(product1),
               high_word(product0) ^ counter[3] ^ key[1], low_word(product0)};
    key[0] += kWeyl0;
    key[1] += kWeyl1;
  }
  return counter;
}

RandomStream::RandomStream(std::uint64_t seed, RandomPurpose purpose, std::uint64_t index)
    : key_{low_word(seed), high_word(seed)},
      counter_{0, low_word(index), high_word(index), static_cast<std::uint32_t>(purpose)} {}

std::uint32_t RandomStream::word() {
  if (used_ == block_.size()) {
    block_ = philox4x32(counter_, key_);
    ++counter_[0];
    used_ = 0;
  }
  return block_[used_++];
}

std::uint32_t RandomStream::below(std::uint32_t bound) {
  if (bound == 0) throw InternalError("RandomStream::below: the bound must be at least 1");
  // Lemire, "Fast Random Integer Generation in an Interval" (2019). Never to be changed: the words
  // that it consumes are part of what a seed means.
  std::uint64_t product = std::uint64_t{word()} * bound;
  if (low_word(product) < bound) {
    const std::uint32_t threshold = (0U - bound) % bound;
    while (low_word(product) < threshold) product = std::uint64_t{word()} * bound;
  }
  return high_word(product);
}

float RandomStream::normal() {
  if (has_spare_normal_) {
    has_spare_normal_ = false;
    return spare_normal_;
  }
  constexpr double kWordUnit = 1.0 / 4294967296.0;                                // 2^-32
  const double radius_uniform = (static_cast<double>(word()) + 1.0) * kWordUnit;  // (0, 1]
  const double angle_uniform = static_cast<double>(word()) * kWordUnit;           // [0, 1)
  const double radius = std::sqrt(-2.0 * std::log(radius_uniform));
  const double angle = 2.0 * std::numbers::pi * angle_uniform;
  spare_normal_ = static_cast<float>(radius * std::sin(angle));
  has_spare_normal_ = true;
  return static_cast<float>(radius * std::cos(angle));
}

}  // namespace sdx
