#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "sdx/model/vae.h"

namespace sdx {

/// What decoding one latent takes at its peak, measured on a small picture; memory grows with area.
double decode_bytes_per_latent(const VaeDecoder& decoder, int channels);

/// Chooses the side of the pieces, in latents, so that decoding h × w latents takes no more than
/// `bytes`. It is 0 if the picture may be decoded whole. Never below kSmallestPiece, which may then
/// take more.
int piece_side(std::int64_t height, std::int64_t width, double bytes_per_latent, double bytes);

/// Decodes pieces of `side` latents and blends them where they overlap, by a quarter of their side.
/// Each piece's colours are normalised by itself, so that the result differs a little from that of
/// the whole: for pictures that do not fit the memory.
/// As AutoencoderKL.tiled_decode of diffusers.
/// @param latents [1,4,h,w]  @param factor pixels to a latent.  @return [1,3,h·factor,w·factor]
at::Tensor decode_in_pieces(const VaeDecoder& decoder, const at::Tensor& latents, int side,
                            int factor);

}  // namespace sdx
