#include "generation/decode_pieces.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/equal.h>

#include "sdx/tensor/allocation_meter.h"
#include "support/tensors.h"
#include "support/tiny_bundle.h"

#include "support/catch.h"

using sdx::decode_in_pieces;
using sdx::piece_side;
using sdx::test::noise;
using sdx::test::relative_difference;
using sdx::test::tiny_bundle;

namespace {

at::Tensor make_latents(std::int64_t height, std::int64_t width) {
  return noise(1, {1, 4, height, width});
}

}  // namespace

TEST_CASE("generation: a picture is decoded in pieces only if it does not fit", "[generation]") {
  CHECK(piece_side(64, 64, 100, 64 * 64 * 100.0) == 0);
  CHECK(piece_side(64, 64, 100, 64 * 64 * 100.0 - 1) == 56);
  CHECK(piece_side(128, 64, 100, 64 * 64 * 100.0) == 64);
  CHECK(piece_side(64, 64, 100, 1) == 32);
}

TEST_CASE("generation: a picture in one piece is the whole picture", "[generation]") {
  const at::NoGradGuard no_grad;
  const sdx::VaeDecoder decoder(tiny_bundle(), {});
  const int factor = tiny_bundle().info().vae_factor;
  const at::Tensor latents = make_latents(9, 12);
  CHECK(at::equal(decode_in_pieces(decoder, latents, 12, factor), decoder.decode(latents)));
}

TEST_CASE("generation: pieces fit each other and take less memory", "[generation]") {
  const at::NoGradGuard no_grad;
  const sdx::VaeDecoder decoder(tiny_bundle(), {});
  const int factor = tiny_bundle().info().vae_factor;
  for (const auto& [height, width] : {std::pair{40, 24}, std::pair{24, 41}, std::pair{37, 37}}) {
    const at::Tensor latents = make_latents(height, width);
    const at::Tensor whole = decoder.decode(latents);
    const at::Tensor pieces = decode_in_pieces(decoder, latents, 16, factor);
    CHECK(pieces.sizes() == whole.sizes());
    // Norms and attention over a piece of noise differ from those over all of it.
    CHECK(relative_difference(pieces, whole) < 0.25);
    CHECK(relative_difference(pieces.roll({factor}, {3}), whole) > 0.5);
  }
}

TEST_CASE("generation: the estimate of what decoding takes holds for larger pictures",
          "[generation]") {
  const at::NoGradGuard no_grad;
  const sdx::VaeDecoder decoder(tiny_bundle(), {});
  const double estimate = sdx::decode_bytes_per_latent(decoder, 4) * 32 * 32;
  const at::Tensor latents = make_latents(32, 32);
  const sdx::AllocationMeter meter;
  decoder.decode(latents);
  const auto truth = static_cast<double>(meter.peak_bytes());
  CHECK(estimate > truth * 0.75);
  CHECK(estimate < truth * 1.5);
}
