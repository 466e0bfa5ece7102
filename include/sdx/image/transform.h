#pragma once

#include "sdx/image/image.h"

namespace sdx {

/// The part of `image` inside `area`, which must lie within it.
Image crop(const Image& image, const Rect& area);

/// The same for an area that may reach beyond the picture: what lies there mirrors the edge.
Image crop_beyond(const Image& image, const Rect& area);

/// `image` at another size: area averaging when it shrinks, Lanczos when it grows. Never crops; the
/// caller keeps the aspect ratio.
Image resize(const Image& image, int width_px, int height_px);

/// The largest square in the middle of a picture.
Rect centre_square(int width_px, int height_px);

/// The square that shows a head and shoulders for a face found at `face`: about 2.2 times the
/// face's height, a little more room above than below, moved (and only then shrunk) to lie within
/// the picture.
Rect portrait_square(const Rect& face, int width_px, int height_px);

}  // namespace sdx
