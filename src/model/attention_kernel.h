#pragma once

#include <cstdint>
#include <vector>

namespace sdx {

/// A matrix of bfloat16 in memory, its rows anywhere, their elements one after the other.
struct BFloat16Rows {
  std::uint16_t* first;
  std::int64_t rows;
  std::int64_t width;
  std::int64_t stride;  ///< elements from a row to the next
};

/// Keys and values of one head in the order in which the processor multiplies pairs of bfloat16.
class PackedHead {
 public:
  PackedHead(const BFloat16Rows& keys, const BFloat16Rows& values);

  /// Attention of a block of queries, see attention(). Needs has_bfloat16_attention().
  /// @param scale  of the scores: 1/√d
  /// @param output first row; the rows are `output_stride` elements apart
  void attend(const BFloat16Rows& queries, float scale, std::uint16_t* output,
              std::int64_t output_stride) const;

  /// Queries of a block whose scores stay in the level-2 cache.
  std::int64_t rows_at_once() const;

 private:
  std::int64_t keys_;                         ///< how many there are
  std::int64_t padded_keys_;                  ///< a multiple of kKeyTile
  std::int64_t pairs_;                        ///< of components, the last filled up with zero
  std::int64_t output_blocks_;                ///< of kLanes components
  std::vector<std::uint32_t> packed_keys_;    ///< [key block][pair of components][lane: key]
  std::vector<std::uint32_t> packed_values_;  ///< [pair of keys][block][lane: component]
};

}  // namespace sdx
