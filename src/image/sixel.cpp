#include "sdx/image/sixel.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "sdx/util/error.h"

namespace sdx {

namespace {

constexpr std::array kLevels = {6, 7, 6};  ///< of red, green, blue
constexpr int kBandRows = 6;               ///< one letter has the pixels of so many rows
constexpr int kShortestRun = 4;            ///< "!4x" is no longer than "xxxx"

/// A level as the format states it.
int to_percent(int level, int levels) {
  return static_cast<int>(std::lround(100.0 * level / (levels - 1)));
}

/// The numbers of the colours that stand for the pixels.
std::vector<int> choose_colours(const Image& image) {
  const auto width = static_cast<std::size_t>(image.width_px);
  const auto height = static_cast<std::size_t>(image.height_px);
  std::vector<int> colours(width * height);
  // What the rows owe, with a pixel more at both ends, so that edges need no care.
  std::vector<double> now(3 * (width + 2));
  std::vector<double> next(now.size());
  for (std::size_t y = 0; y < height; ++y) {
    for (std::size_t x = 0; x < width; ++x) {
      int& colour = colours[y * width + x];
      for (std::size_t channel = 0; channel < 3; ++channel) {
        const int levels = kLevels[channel];
        const std::size_t at = 3 * (x + 1) + channel;
        const double wanted = image.rgb[3 * (y * width + x) + channel] + now[at];
        const int level =
            std::clamp(static_cast<int>(std::lround(wanted * (levels - 1) / 255)), 0, levels - 1);
        const double error = wanted - 2.55 * to_percent(level, levels);
        now[at + 3] += error * 7 / 16;
        next[at - 3] += error * 3 / 16;
        next[at] += error * 5 / 16;
        next[at + 3] += error * 1 / 16;
        colour = colour * levels + level;
      }
    }
    now.swap(next);
    std::ranges::fill(next, 0);
  }
  return colours;
}

/// "#7;2;0;17;20": the colour 7 in percents of red, green and blue.
std::string define_colour(int colour) {
  std::string levels;
  int rest = colour;
  for (std::size_t channel = 3; channel-- > 0;) {
    levels.insert(0, ";" + std::to_string(to_percent(rest % kLevels[channel], kLevels[channel])));
    rest /= kLevels[channel];
  }
  return "#" + std::to_string(colour) + ";2" + levels;
}

/// Letters with runs of equal ones shortened, and without the empty ones at the end.
std::string shorten(std::string letters) {
  letters.erase(letters.find_last_not_of('?') + 1);
  std::string text;
  for (std::size_t at = 0; at < letters.size();) {
    const std::size_t end = std::min(letters.find_first_not_of(letters[at], at), letters.size());
    const std::size_t count = end - at;
    text += count < kShortestRun ? std::string(count, letters[at])
                                 : "!" + std::to_string(count) + letters[at];
    at = end;
  }
  return text;
}

}  // namespace

std::string to_sixel(const Image& image) {
  if (image.width_px < 1 || image.height_px < 1) throw InternalError("to_sixel: an empty picture");
  const std::vector<int> colours = choose_colours(image);
  std::string text =
      "\x1bPq\"1;1;" + std::to_string(image.width_px) + ";" + std::to_string(image.height_px);
  for (const int colour : std::set<int>(colours.begin(), colours.end())) {
    text += define_colour(colour);
  }
  const auto width = static_cast<std::size_t>(image.width_px);
  for (int top = 0; top < image.height_px; top += kBandRows) {
    std::map<int, std::string> bands;  // the letters of each colour; '?' has no pixels
    for (int row = 0; row < kBandRows && top + row < image.height_px; ++row) {
      for (std::size_t x = 0; x < width; ++x) {
        const int colour = colours[static_cast<std::size_t>(top + row) * width + x];
        std::string& letters = bands.try_emplace(colour, width, '?').first->second;
        letters[x] = static_cast<char>(letters[x] + (1 << row));
      }
    }
    std::string band;
    for (const auto& [colour, letters] : bands) {
      band += (band.empty() ? "#" : "$#") + std::to_string(colour) + shorten(letters);
    }
    text += band + "-";
  }
  text.pop_back();  // no line behind the last band: the cursor would leave the picture
  return text + "\x1b\\";
}

}  // namespace sdx
