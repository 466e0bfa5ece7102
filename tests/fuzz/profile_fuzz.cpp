// A colour profile (ICC) of a picture.

#include "fuzz/target.h"
#include "image/colour_profile.h"
#include "sdx/image/image.h"

using namespace sdx;

SDX_FUZZ_TARGET(profile) {
  Image image(3, 1);
  for (std::size_t i = 0; i < image.rgb.size(); ++i) {
    image.rgb[i] = static_cast<std::uint8_t>(28 * i);
  }
  convert_to_srgb(image, bytes);
}
