#include "sdx/util/random.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <set>
#include <vector>

#include "sdx/util/error.h"
#include "support/catch.h"

using namespace sdx;

using Block = std::array<std::uint32_t, 4>;

// Random123 1.14, tests/kat_vectors, "philox4x32 10".
TEST_CASE("util: Philox gives the known answers", "[util]") {
  CHECK(philox4x32({0, 0, 0, 0}, {0, 0}) == Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}) ==
        Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("util: a stream is Philox over (block, index, purpose), keyed by the seed", "[util]") {
  constexpr std::uint64_t kSeed = 0x0123456789abcdef;
  constexpr std::uint64_t kIndex = 0xfedcba9876543210;
  RandomStream stream(kSeed, RandomPurpose::kTrainingNoise, kIndex);
  for (std::uint32_t block = 0; block < 3; ++block) {
    const Block expected = philox4x32({block, 0x76543210, 0xfedcba98, 3}, {0x89abcdef, 0x01234567});
    for (const std::uint32_t word : expected) CHECK(stream.word() == word);
  }
}

TEST_CASE("util: the purposes keep their numbers", "[util]") {
  CHECK(static_cast<int>(RandomPurpose::kInitialLatents) == 1);
  CHECK(static_cast<int>(RandomPurpose::kTrainingPick) == 2);
  CHECK(static_cast<int>(RandomPurpose::kTrainingNoise) == 3);
  CHECK(static_cast<int>(RandomPurpose::kFixedBatch) == 4);
  CHECK(static_cast<int>(RandomPurpose::kDynamicPrompt) == 6);
  CHECK(static_cast<int>(RandomPurpose::kSamplerNoise) == 7);
  CHECK(static_cast<int>(RandomPurpose::kFaceSeed) == 8);
}

TEST_CASE("util: seed, purpose and index each make another stream", "[util]") {
  const std::set<std::uint32_t> first_words = {
      RandomStream(7, RandomPurpose::kTrainingPick, 0).word(),
      RandomStream(8, RandomPurpose::kTrainingPick, 0).word(),
      RandomStream(7 + (std::uint64_t{1} << 32U), RandomPurpose::kTrainingPick, 0).word(),
      RandomStream(7, RandomPurpose::kTrainingNoise, 0).word(),
      RandomStream(7, RandomPurpose::kTrainingPick, 1).word(),
      RandomStream(7, RandomPurpose::kTrainingPick, std::uint64_t{1} << 32U).word()};
  CHECK(first_words.size() == 6);
  CHECK(RandomStream(7, RandomPurpose::kTrainingPick).word() ==
        RandomStream(7, RandomPurpose::kTrainingPick, 0).word());
}

TEST_CASE("util: below() is fixed, in range and even", "[util]") {
  // The high half of word × bound, with the words of the stream below; made by a Python
  // implementation of Philox and of Lemire's method that shares no code with this one.
  RandomStream pinned(42, RandomPurpose::kTrainingPick, 5);
  std::vector<std::uint32_t> first;
  for (int i = 0; i < 8; ++i) first.push_back(pinned.below(10));
  CHECK(first == std::vector<std::uint32_t>{9, 9, 9, 0, 5, 2, 7, 5});

  RandomStream stream(1, RandomPurpose::kTrainingPick);
  std::array<int, 7> counts{};
  constexpr int kDraws = 70000;
  for (int i = 0; i < kDraws; ++i) {
    const std::uint32_t drawn = stream.below(7);
    REQUIRE(drawn < 7);
    ++counts[drawn];
  }
  // The standard deviation of a count is 93.
  for (const int count : counts) CHECK(std::abs(count - kDraws / 7) < 400);
  CHECK(stream.below(1) == 0);
}

TEST_CASE("util: below() rejects what would be biased", "[util]") {
  // Of the bound 3 · 2^30 a quarter of all words is rejected: without rejection the values 0, 3, 6
  // … (one in three) would come twice as often, half of the time.
  constexpr std::uint32_t kBound = 3U << 30U;
  RandomStream stream(2, RandomPurpose::kTrainingPick);
  int multiples = 0;
  constexpr int kDraws = 30000;
  for (int i = 0; i < kDraws; ++i) {
    const std::uint32_t drawn = stream.below(kBound);
    REQUIRE(drawn < kBound);
    if (drawn % 3 == 0) ++multiples;
  }
  CHECK(std::abs(multiples - kDraws / 3) < 500);  // standard deviation 82

  RandomStream pinned(3, RandomPurpose::kTrainingPick);
  std::vector<std::uint32_t> first;
  for (int i = 0; i < 8; ++i) first.push_back(pinned.below(kBound));
  CHECK(first == std::vector<std::uint32_t>{1593338618U, 1253517433U, 1141677123U, 1303865671U,
                                            759679980U, 3017711699U, 550498713U,
                                            139451030U});  // 7 rejected among them
}

TEST_CASE("util: below(0) is refused", "[util]") {
  RandomStream stream(1, RandomPurpose::kTrainingPick);
  CHECK_THROWS_AS(stream.below(0), InternalError);
}

TEST_CASE("util: normal() has the moments of the normal distribution", "[util]") {
  RandomStream stream(1234, RandomPurpose::kInitialLatents);
  constexpr int kDraws = 1000000;
  std::array<double, 4> sums{};
  double largest = 0;
  double lag_one = 0;
  double previous = 0;
  int beyond_two = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double value = static_cast<double>(stream.normal());
    REQUIRE(std::isfinite(value));
    double power = 1;
    for (double& sum : sums) sum += power *= value;
    largest = std::max(largest, std::abs(value));
    if (std::abs(value) > 2) ++beyond_two;
    lag_one += value * previous;
    previous = value;
  }
  // Each bound is at least four standard errors.
  CHECK(std::abs(sums[0] / kDraws) < 0.004);
  CHECK(std::abs(sums[1] / kDraws - 1) < 0.006);
  CHECK(std::abs(sums[2] / kDraws) < 0.016);
  CHECK(std::abs(sums[3] / kDraws - 3) < 0.04);
  CHECK(std::abs(lag_one / kDraws) < 0.004);
  CHECK(std::abs(beyond_two / static_cast<double>(kDraws) - 0.0455) < 0.0009);
  CHECK(largest > 4);
  CHECK(largest < 6.67);  // sqrt(-2 ln 2^-32)
}

TEST_CASE("util: normal() gives the pinned first values", "[util]") {
  // Made by the Python implementation (Box–Muller in double, cosine first). The last bit may differ
  // where libm does.
  RandomStream stream(42, RandomPurpose::kInitialLatents);
  const std::vector<float> expected = {-1.69143569F, -1.13202941F, 0.326128542F, -1.45600379F,
                                       -1.24233603F, 1.62653148F,  -1.74613881F, -0.871679902F};
  for (const float value : expected) {
    const float drawn = stream.normal();
    CHECK(std::abs(drawn - value) <= 2e-7F * std::abs(value));
  }
}
