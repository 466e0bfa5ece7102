#include "sdx/model/conditioning.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>

#include "sdx/util/error.h"
#include "support/throws.h"

#include "support/catch.h"

using sdx::Conditioning;
using sdx::test::catch_message;
using sdx::test::contains;

namespace {

/// Rows that tell of themselves: all numbers of row r are first + r.
at::Tensor rows(std::int64_t count, double first, at::IntArrayRef shape) {
  std::vector<std::int64_t> sizes = {count};
  sizes.insert(sizes.end(), shape.begin(), shape.end());
  std::vector<std::int64_t> column(sizes.size(), 1);
  column.front() = count;
  return (at::arange(count, at::kFloat) + first).reshape(column).expand(sizes).contiguous();
}

/// As SDXL takes it.
Conditioning whole(std::int64_t count, double first) {
  return {rows(count, first, {3, 2}), rows(count, first + 100, {4}), rows(count, first + 200, {6})};
}

void check_rows(const Conditioning& found, const std::vector<double>& expected) {
  REQUIRE(found.rows() == static_cast<std::int64_t>(expected.size()));
  CHECK(found.positions() == 3);
  for (std::size_t row = 0; row < expected.size(); ++row) {
    const auto index = static_cast<std::int64_t>(row);
    CHECK(at::equal(found.context[index], at::full({3, 2}, expected[row])));
    CHECK(at::equal(found.pooled[index], at::full({4}, expected[row] + 100)));
    CHECK(at::equal(found.size_ids[index], at::full({6}, expected[row] + 200)));
  }
}

}  // namespace

TEST_CASE("conditioning: rows are joined, chosen and repeated together", "[model]") {
  const Conditioning joined = Conditioning::concatenate({whole(2, 0), whole(1, 7)});
  check_rows(joined, {0, 1, 7});
  check_rows(joined.select(at::tensor({2, 0, 2}, at::kLong)), {7, 0, 7});
  check_rows(joined.repeat(2), {0, 1, 7, 0, 1, 7});
}

TEST_CASE("conditioning: what a model does not take stays undefined", "[model]") {
  const Conditioning plain{rows(2, 0, {3, 2})};
  const Conditioning repeated = plain.repeat(2).select(at::tensor({3}, at::kLong));
  const Conditioning joined = Conditioning::concatenate({repeated, plain}).to(at::kCPU, at::kHalf);
  CHECK(joined.rows() == 3);
  CHECK(joined.context.scalar_type() == at::kHalf);
  CHECK_FALSE(joined.pooled.defined());
  CHECK_FALSE(joined.size_ids.defined());
}

TEST_CASE("conditioning: parts of different kinds are not joined", "[model]") {
  Conditioning other = whole(1, 0);
  other.pooled = at::Tensor();
  CHECK(contains(catch_message<sdx::InternalError>([&] {
                   Conditioning::concatenate({whole(1, 0), other});
                 }),
                 "only some of the parts have \"pooled\""));
  CHECK_THROWS_AS(Conditioning::concatenate({}), sdx::InternalError);
}

TEST_CASE("conditioning: sizes keep their last pixel in bfloat16", "[model]") {
  const Conditioning half =
      Conditioning{rows(1, 0, {3, 2}), rows(1, 0, {4}), sdx::make_size_ids({1333, 1027}, 1)}.to(
          at::kCPU, at::kBFloat16);
  CHECK(half.context.scalar_type() == at::kBFloat16);
  CHECK(half.pooled.scalar_type() == at::kBFloat16);
  CHECK(at::equal(half.size_ids,
                  at::tensor({1027, 1333, 0, 0, 1027, 1333}).to(at::kFloat).view({1, 6})));
}

TEST_CASE("conditioning: size ids are height before width, once for each row", "[model]") {
  const at::Tensor row = at::tensor({768.0F, 512.0F, 0.0F, 0.0F, 768.0F, 512.0F}).view({1, 6});
  CHECK(at::equal(sdx::make_size_ids({512, 768}, 2), row.repeat({2, 1})));
}

TEST_CASE("conditioning: the same is the same tensors, not the same numbers", "[model]") {
  const Conditioning one = whole(1, 0);
  Conditioning other = one;
  CHECK(one.is_same(other));
  other.size_ids = other.size_ids.clone();
  CHECK_FALSE(one.is_same(other));
}
