#pragma once

#include <string>

#include "sdx/image/image.h"

namespace sdx {

/// A picture for terminals that show sixels: the escape sequence, from ESC P to ESC \. Its colours
/// are 252 fixed ones, six levels of red and blue and seven of green; the error of each pixel is
/// spread over its neighbours (Floyd and Steinberg 1976), so that areas keep their colour. The
/// bytes depend on the picture alone.
/// Source: DEC, "VT330/VT340 Programmer Reference Manual", chapter 14.
/// @param image not empty; at its own size, as a terminal shows it pixel for pixel
std::string to_sixel(const Image& image);

}  // namespace sdx
