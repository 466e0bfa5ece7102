#include "model/attention_kernel.h"

#include <algorithm>
#include <cstring>
#include <limits>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace sdx {

namespace {

constexpr std::int64_t kLanes = 16;  ///< float32 in a register of 512 bits
constexpr std::int64_t kRows = 6;    ///< queries whose sums are in registers: 6 × 4 of the 32
constexpr std::int64_t kBlocks = 4;  ///< registers across, for each of them
constexpr std::int64_t kKeyTile = kBlocks * kLanes;
constexpr std::int64_t kValueTile = 256;          ///< keys whose values stay in the level-1 cache
constexpr std::int64_t kScoreBytes = 384 * 1024;  ///< of the level-2 cache

std::int64_t rounded_up(std::int64_t value, std::int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

std::uint32_t join_pair(std::uint16_t low, std::uint16_t high) {
  return static_cast<std::uint32_t>(high) << 16 | low;
}

}  // namespace

PackedHead::PackedHead(const BFloat16Rows& keys, const BFloat16Rows& values)
    : keys_(keys.rows),
      padded_keys_(rounded_up(keys.rows, kKeyTile)),
      pairs_((keys.width + 1) / 2),
      output_blocks_(rounded_up(values.width, kLanes) / kLanes),
      packed_keys_(static_cast<std::size_t>(padded_keys_ * pairs_)),
      packed_values_(static_cast<std::size_t>(padded_keys_ / 2 * output_blocks_ * kLanes)) {
  for (std::int64_t key = 0; key < keys_; ++key) {
    const std::uint16_t* row = keys.first + key * keys.stride;
    std::uint32_t* lane = packed_keys_.data() + key / kLanes * pairs_ * kLanes + key % kLanes;
    for (std::int64_t pair = 0; pair < pairs_; ++pair) {
      const bool is_whole = 2 * pair + 1 < keys.width;
      lane[pair * kLanes] = join_pair(row[2 * pair], is_whole ? row[2 * pair + 1] : 0);
    }
  }
  for (std::int64_t key = 0; key < keys_; key += 2) {
    const std::uint16_t* even = values.first + key * values.stride;
    const std::uint16_t* odd = key + 1 < keys_ ? even + values.stride : nullptr;
    std::uint32_t* out = packed_values_.data() + key / 2 * output_blocks_ * kLanes;
    for (std::int64_t i = 0; i < values.width; ++i) out[i] = join_pair(even[i], odd ? odd[i] : 0);
  }
}

std::int64_t PackedHead::rows_at_once() const {
  const std::int64_t rows = kScoreBytes / (padded_keys_ * static_cast<std::int64_t>(sizeof(float)));
  return std::clamp(rows / kRows, std::int64_t{1}, std::int64_t{40}) * kRows;
}

#if defined(__x86_64__)

// Of single functions and not of the file: what the file takes from headers must run anywhere.
#define SDX_AVX512 [[gnu::target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")]]
// Inside the compiler's own intrinsics:
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"

namespace {

SDX_AVX512 __m512bh load_pairs(const std::uint32_t* from) {
  return reinterpret_cast<__m512bh>(_mm512_loadu_si512(from));
}

SDX_AVX512 __m512bh same_pair(std::uint32_t pair) {
  return reinterpret_cast<__m512bh>(_mm512_set1_epi32(static_cast<int>(pair)));
}

/// Sums of products of kRows rows of pairs with Blocks × kLanes columns: left [kRows][left_stride],
/// right [pair][…]: a pair's registers lie `block_step` apart, the next pair's `pair_step`.
template <int Blocks>
SDX_AVX512 void add_products(const std::uint32_t* left, std::int64_t left_stride,
                             const std::uint32_t* right, std::int64_t pair_step,
                             std::int64_t block_step, std::int64_t pairs, float* sums,
                             std::int64_t sums_stride) {
  __m512 sum[kRows][Blocks];
#pragma GCC unroll 6
  for (int row = 0; row < kRows; ++row) {
#pragma GCC unroll 4
    for (int block = 0; block < Blocks; ++block) {
      sum[row][block] = _mm512_loadu_ps(sums + row * sums_stride + block * kLanes);
    }
  }
  for (std::int64_t pair = 0; pair < pairs; ++pair) {
    __m512bh columns[Blocks];
#pragma GCC unroll 4
    for (int block = 0; block < Blocks; ++block) {
      columns[block] = load_pairs(right + pair * pair_step + block * block_step);
    }
#pragma GCC unroll 6
    for (int row = 0; row < kRows; ++row) {
      const __m512bh factor = same_pair(left[row * left_stride + pair]);
#pragma GCC unroll 4
      for (int block = 0; block < Blocks; ++block) {
        sum[row][block] = _mm512_dpbf16_ps(sum[row][block], factor, columns[block]);
      }
    }
  }
#pragma GCC unroll 6
  for (int row = 0; row < kRows; ++row) {
#pragma GCC unroll 4
    for (int block = 0; block < Blocks; ++block) {
      _mm512_storeu_ps(sums + row * sums_stride + block * kLanes, sum[row][block]);
    }
  }
}

/// eˣ for x ≤ 0, relative error below 3e-7 (Taylor's polynomial of 2ᶠ on −½ … ½); 0 below −87.
SDX_AVX512 __m512 compute_exp(__m512 x) {
  const __m512 power = _mm512_mul_ps(x, _mm512_set1_ps(1.44269504F));
  const __m512 whole = _mm512_roundscale_ps(power, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m512 part = _mm512_sub_ps(power, whole);
  __m512 result = _mm512_set1_ps(1.54035304e-4F);
  for (const float coefficient :
       {1.33335581e-3F, 9.61812911e-3F, 5.55041087e-2F, 2.40226507e-1F, 6.93147181e-1F, 1.0F}) {
    result = _mm512_fmadd_ps(result, part, _mm512_set1_ps(coefficient));
  }
  return _mm512_scalef_ps(result, whole);
}

/// Exponentials of a row of scores as bfloat16; returns what divides them.
SDX_AVX512 float exponentials(const float* scores, std::int64_t count, float scale,
                              std::uint16_t* result) {
  __m512 largest = _mm512_loadu_ps(scores);
  for (std::int64_t i = kLanes; i < count; i += kLanes) {
    largest = _mm512_max_ps(largest, _mm512_loadu_ps(scores + i));
  }
  const __m512 shift = _mm512_set1_ps(_mm512_reduce_max_ps(largest));
  __m512 sum = _mm512_setzero_ps();
  for (std::int64_t i = 0; i < count; i += kLanes) {
    const __m512 below = _mm512_sub_ps(_mm512_loadu_ps(scores + i), shift);
    // Far below zero the result is 0 anyway; minus infinity would become NaN.
    const __m512 exponent =
        _mm512_max_ps(_mm512_mul_ps(below, _mm512_set1_ps(scale)), _mm512_set1_ps(-200));
    const __m512 value = compute_exp(exponent);
    sum = _mm512_add_ps(sum, value);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(result + i),
                        reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(value)));
  }
  return _mm512_reduce_add_ps(sum);
}

SDX_AVX512 void write_row(const float* sums, std::int64_t width, float divisor,
                          std::uint16_t* output) {
  const __m512 factor = _mm512_set1_ps(1 / divisor);
  for (std::int64_t i = 0; i < width; i += kLanes) {
    const auto rest = static_cast<unsigned>(std::min(kLanes, width - i));
    _mm256_mask_storeu_epi16(output + i, static_cast<__mmask16>((1U << rest) - 1),
                             reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(
                                 _mm512_mul_ps(_mm512_loadu_ps(sums + i), factor))));
  }
}

}  // namespace

void PackedHead::attend(const BFloat16Rows& queries, float scale, std::uint16_t* output,
                        std::int64_t output_stride) const {
  const std::int64_t rows = rounded_up(queries.rows, kRows);
  const std::int64_t width = output_blocks_ * kLanes;
  const auto size = [](std::int64_t count) { return static_cast<std::size_t>(count); };
  std::vector<std::uint32_t> query_pairs(size(rows * pairs_));
  for (std::int64_t row = 0; row < queries.rows; ++row) {
    std::memcpy(query_pairs.data() + row * pairs_, queries.first + row * queries.stride,
                size(queries.width) * sizeof(std::uint16_t));
  }

  std::vector<float> scores(size(rows * padded_keys_));
  for (std::int64_t key = 0; key < padded_keys_; key += kKeyTile) {
    for (std::int64_t row = 0; row < rows; row += kRows) {
      add_products<kBlocks>(query_pairs.data() + row * pairs_, pairs_,
                            packed_keys_.data() + key * pairs_, kLanes, pairs_ * kLanes, pairs_,
                            scores.data() + row * padded_keys_ + key, padded_keys_);
    }
  }

  std::vector<std::uint16_t> weights(size(rows * padded_keys_));
  std::vector<float> divisors(size(rows));
  for (std::int64_t row = 0; row < rows; ++row) {
    float* of_row = scores.data() + row * padded_keys_;
    std::fill(of_row + keys_, of_row + padded_keys_, -std::numeric_limits<float>::infinity());
    divisors[size(row)] =
        exponentials(of_row, padded_keys_, scale, weights.data() + row * padded_keys_);
  }

  std::vector<float> sums(size(rows * width));
  const auto* weight_pairs = reinterpret_cast<const std::uint32_t*>(weights.data());
  for (std::int64_t key = 0; key < padded_keys_; key += kValueTile) {
    const std::int64_t pairs = std::min(kValueTile, padded_keys_ - key) / 2;
    for (std::int64_t row = 0; row < rows; row += kRows) {
      for (std::int64_t block = 0; block < output_blocks_; block += kBlocks) {
        const auto add = [&]<int Blocks>() {
          add_products<Blocks>(weight_pairs + (row * padded_keys_ + key) / 2, padded_keys_ / 2,
                               packed_values_.data() + key / 2 * width + block * kLanes, width,
                               kLanes, pairs, sums.data() + row * width + block * kLanes, width);
        };
        switch (std::min(kBlocks, output_blocks_ - block)) {
          case 1:
            add.template operator()<1>();
            break;
          case 2:
            add.template operator()<2>();
            break;
          case 3:
            add.template operator()<3>();
            break;
          default:
            add.template operator()<4>();
            break;
        }
      }
    }
  }
  for (std::int64_t row = 0; row < queries.rows; ++row) {
    write_row(sums.data() + row * width, queries.width, divisors[size(row)],
              output + row * output_stride);
  }
}

#else

void PackedHead::attend(const BFloat16Rows&, float, std::uint16_t*, std::int64_t) const {}

#endif

}  // namespace sdx
