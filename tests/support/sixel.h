#pragma once

#include <algorithm>
#include <array>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "sdx/image/image.h"

namespace sdx::test {

/// The picture that a terminal makes of a sixel sequence with raster attributes and percents.
/// @throws std::runtime_error for what such a terminal does not understand, and for pixels that are
///         drawn twice, never, or outside of the picture.
inline Image read_sixel(const std::string& text) {
  const std::string begin = "\x1bPq\"1;1;";
  const std::string end = "\x1b\\";
  if (!text.starts_with(begin) || !text.ends_with(end)) throw std::runtime_error("no sixels");
  std::size_t at = begin.size();
  const auto number = [&] {
    std::size_t digits = 0;
    const int value = std::stoi(text.substr(at, 9), &digits);
    at += digits;
    return value;
  };
  const auto next_number = [&] {
    if (text.at(at++) != ';') throw std::runtime_error("expected ;");
    return number();
  };
  const int width = number();
  Image image(width, next_number());
  std::vector<bool> drawn(image.rgb.size() / 3);
  std::map<int, std::array<int, 3>> colours;
  std::array<int, 3> ink{};
  int x = 0;
  int top = 0;
  const auto draw = [&](char letter, int count) {
    if (letter < '?' || letter > '~') throw std::runtime_error("no letter of sixels");
    for (const int last = x + count; x < last; ++x) {
      for (int row = 0; row < 6; ++row) {
        if ((((letter - '?') >> row) & 1) == 0) continue;
        if (x >= image.width_px || top + row >= image.height_px) {
          throw std::runtime_error("a pixel outside");
        }
        const auto pixel = static_cast<std::size_t>((top + row) * image.width_px + x);
        if (drawn[pixel]) throw std::runtime_error("a pixel drawn twice");
        drawn[pixel] = true;
        for (std::size_t c = 0; c < 3; ++c) {
          image.rgb[3 * pixel + c] = static_cast<std::uint8_t>((ink[c] * 255 + 50) / 100);
        }
      }
    }
  };
  while (at + end.size() < text.size()) {
    const char letter = text[at++];
    if (letter == '#') {
      const int colour = number();
      if (text[at] == ';') {
        if (next_number() != 2) throw std::runtime_error("expected percents");
        colours[colour] = {next_number(), next_number(), next_number()};
      }
      ink = colours.at(colour);
    } else if (letter == '$' || letter == '-') {
      x = 0;
      if (letter == '-') top += 6;
    } else if (letter == '!') {
      const int count = number();
      draw(text.at(at++), count);
    } else {
      draw(letter, 1);
    }
  }
  if (std::ranges::count(drawn, false) > 0) throw std::runtime_error("a pixel that is not drawn");
  return image;
}

}  // namespace sdx::test
