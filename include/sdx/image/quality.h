#pragma once

#include <cstdint>
#include <vector>

#include "sdx/image/image.h"

namespace sdx {

/// How sharp a picture is: the variance of the Laplacian of its grey values (0 … 255), at a fixed
/// size so that the numbers of large and small pictures compare. 0 for a plain one, some hundreds
/// or thousands for a sharp portrait. (Pech-Pacheco et al. 2000, "Diatom autofocusing".)
double sharpness(const Image& image);

/// Whether a picture of that sharpness teaches its blur: as if a Gaussian of two pixels had been
/// laid over it at 256 px.
bool is_blurred(double sharpness);

/// Whether a picture is a photograph, and not a drawing with even surfaces. Of a photograph fewer
/// than 55 % of the places, at 128×128, are as bright as their neighbours to within 1 % of white.
/// A cartoon has 76 % or more, and 59 % as a JPEG of quality 60. A photographed portrait has at
/// most 50 %.
bool is_photograph(const Image& image);

/// 64 bits that hardly change when a picture is scaled or compressed again: the signs, against
/// their median, of the 8×8 lowest frequencies of its grey values at 32×32. (Zauner 2010,
/// "Implementation and benchmarking of perceptual image hash functions", DCT hash.)
std::uint64_t perceptual_hash(const Image& image);

/// The number of bits in which two hashes differ, 0 … 64.
int hamming_distance(std::uint64_t a, std::uint64_t b);

/// The features by which a picture is recognized.
struct Fingerprint {
  std::uint64_t hash = 0;             ///< perceptual_hash()
  std::vector<std::uint8_t> colours;  ///< of the picture at 16×16
};

Fingerprint fingerprint(const Image& image);

/// Whether two pictures are one, saved twice (at another size, as a JPEG of another quality). The
/// hash alone calls two drawings of one face the same, so the colours have to agree as well.
bool is_same_image(const Fingerprint& a, const Fingerprint& b);

}  // namespace sdx
