#pragma once

#include <array>
#include <string_view>

#include "sdx/image/image.h"

namespace sdx {

/// Converts pixels that an ICC profile describes to sRGB: relative colorimetric, as browsers do.
/// Telephones store Display P3, which looks washed out where it is taken for sRGB. Pixels stay as
/// they are, bit for bit, if the profile is sRGB to within rounding, is empty or damaged, or is for
/// other colours than RGB and grey (a press's CMYK).
/// @param image of a profile for grey: all three channels are equal
void convert_to_srgb(Image& image, std::string_view icc_profile);

/// A colour by its chromaticity, as the standards of video give it.
struct Chromaticity {
  double x = 0;
  double y = 0;
};

/// The same for a colour space that is given by its white and its red, green and blue. Its tones
/// are those of sRGB.
void convert_to_srgb(Image& image, Chromaticity white, const std::array<Chromaticity, 3>& colours);

}  // namespace sdx
