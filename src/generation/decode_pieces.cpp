#include "generation/decode_pieces.h"

#include <ATen/ops/linspace.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "sdx/tensor/allocation_meter.h"

namespace sdx {

namespace {

constexpr int kSampleSide = 16;  ///< latents of the picture that is measured
constexpr int kSmallestPiece = 32;

struct Span {
  std::int64_t begin;
  std::int64_t end;
};

/// Spans of `side` that cover `length` and overlap by a quarter or more.
std::vector<Span> split_spans(std::int64_t length, std::int64_t side) {
  if (length <= side) return {{0, length}};
  std::vector<Span> spans;
  const std::int64_t stride = side - side / 4;
  for (std::int64_t begin = 0;; begin += stride) {
    const std::int64_t last = length - side;
    spans.push_back({std::min(begin, last), std::min(begin, last) + side});
    if (begin >= last) return spans;
  }
}

/// How much each pixel of a span counts: less towards an edge where another span overlaps.
at::Tensor ramp(const std::vector<Span>& spans, std::size_t index, int factor) {
  const Span& span = spans[index];
  at::Tensor weight = at::ones({(span.end - span.begin) * factor});
  const auto slope = [](std::int64_t pixels) {
    return at::linspace(0, 1, pixels + 2).narrow(0, 1, pixels);
  };
  if (index > 0) {
    const std::int64_t overlap = (spans[index - 1].end - span.begin) * factor;
    weight.narrow(0, 0, overlap).mul_(slope(overlap));
  }
  if (index + 1 < spans.size()) {
    const std::int64_t overlap = (span.end - spans[index + 1].begin) * factor;
    weight.narrow(0, weight.size(0) - overlap, overlap).mul_(slope(overlap).flip(0));
  }
  return weight;
}

}  // namespace

double decode_bytes_per_latent(const VaeDecoder& decoder, int channels) {
  const at::Tensor sample = at::zeros({1, channels, kSampleSide, kSampleSide});
  decoder.decode(sample);  // the first time prepares the weights
  const AllocationMeter meter;
  decoder.decode(sample);
  return static_cast<double>(meter.peak_bytes()) / (kSampleSide * kSampleSide);
}

int piece_side(std::int64_t height, std::int64_t width, double bytes_per_latent, double bytes) {
  const double affordable = bytes / bytes_per_latent;
  if (static_cast<double>(height * width) <= affordable) return 0;
  return std::max(static_cast<int>(std::sqrt(affordable)) / 8 * 8, kSmallestPiece);
}

at::Tensor decode_in_pieces(const VaeDecoder& decoder, const at::Tensor& latents, int side,
                            int factor) {
  const std::vector<Span> rows = split_spans(latents.size(2), side);
  const std::vector<Span> columns = split_spans(latents.size(3), side);
  const at::Tensor sum = at::zeros({1, 3, latents.size(2) * factor, latents.size(3) * factor});
  const at::Tensor weights = at::zeros({sum.size(2), sum.size(3)});
  for (std::size_t row = 0; row < rows.size(); ++row) {
    for (std::size_t column = 0; column < columns.size(); ++column) {
      const auto [top, bottom] = rows[row];
      const auto [left, right] = columns[column];
      const at::Tensor piece =
          decoder.decode(latents.narrow(2, top, bottom - top).narrow(3, left, right - left)).cpu();
      const at::Tensor weight =
          ramp(rows, row, factor).unsqueeze(1) * ramp(columns, column, factor);
      const auto place = [&, t = top, l = left](const at::Tensor& whole) {
        return whole.narrow(-2, t * factor, piece.size(2)).narrow(-1, l * factor, piece.size(3));
      };
      place(sum).add_(piece * weight);
      place(weights).add_(weight);
    }
  }
  return sum / weights;
}

}  // namespace sdx
