#include "sdx/image/contact_sheet.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <opencv2/imgproc.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "sdx/image/transform.h"
#include "sdx/util/error.h"
#include "sdx/util/utf8.h"

namespace sdx {
namespace {

constexpr std::uint8_t kGround = 246;
constexpr std::uint8_t kMissingImage = 226;
constexpr std::uint8_t kInk = 51;
constexpr int kMaxLabelLines = 2;
// A picture that is more than this times as high as it is wide does not get the cell's whole width.
constexpr int kMaxCellHeights = 2;

// ---- What OpenCV's letters can show ------------------------------------------------------------

struct LetterRange {
  char32_t first;
  std::string_view plain;  ///< one ASCII letter for each code point from `first` on
};

// Letters without their accents: Unicode's decompositions, and the nearest letter where there is
// none. Latin-1, Latin Extended-A, pinyin, Romanian, Vietnamese.
constexpr std::array<LetterRange, 5> kLetterRanges = {{
    {0xC0,
     "AAAAAAACEEEEIIIIDNOOOOOxOUUUUYTsaaaaaaaceeeeiiiidnooooo/ouuuuyty"
     "AaAaAaCcCcCcCcDdDdEeEeEeEeEeGgGgGgGgHhHhIiIiIiIiIiIiJjKkkLlLlLlLlLlNnNnNnnNnOoOoOoOoRrRrRr"
     "SsSsSsSsTtTtTtUuUuUuUuUuUuWwYyYZzZzZzs"},
    {0x1A0, "Oo"},
    {0x1CD, "AaIiOoUuUuUuUuUu"},
    {0x218, "SsTt"},
    {0x1EA0,
     "AaAaAaAaAaAaAaAaAaAaAaAaEeEeEeEeEeEeEeEeIiIiOoOoOoOoOoOoOoOoOoOoOoOoUuUuUuUuUuUuUuYyYyYyYy"},
}};

struct Replacement {
  char32_t letter;
  std::string_view plain;
};

constexpr std::array<Replacement, 29> kReplacements = {{
    {0xA0, " "},    {0xAB, "\""},  {0xAD, ""},      {0xB0, "o"},   {0xB2, "2"},    {0xB3, "3"},
    {0xB7, "."},    {0xB9, "1"},   {0xBB, "\""},    {0xC6, "AE"},  {0xDE, "Th"},   {0xDF, "ss"},
    {0xE6, "ae"},   {0xFE, "th"},  {0x132, "IJ"},   {0x133, "ij"}, {0x152, "OE"},  {0x153, "oe"},
    {0x1AF, "U"},   {0x1B0, "u"},  {0x2018, "'"},   {0x2019, "'"}, {0x201C, "\""}, {0x201D, "\""},
    {0x201E, "\""}, {0x2022, "."}, {0x2026, "..."}, {0x202F, " "}, {0x2192, "->"},
}};

std::string_view plain_letter(char32_t letter) {
  static constexpr std::string_view kAscii =
      " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`"
      "abcdefghijklmnopqrstuvwxyz{|}~";
  if (letter < 0x20) return " ";
  if (letter < 0x7F) return kAscii.substr(letter - 0x20, 1);
  // Accents that follow their letter, joiners and marks of direction, variants of the letter
  // before.
  if ((letter >= 0x300 && letter <= 0x36F) || (letter >= 0x200B && letter <= 0x200F) ||
      (letter >= 0xFE00 && letter <= 0xFE0F) || letter == 0xFEFF) {
    return "";
  }
  if (letter >= 0x2010 && letter <= 0x2015) return "-";
  for (const Replacement& replacement : kReplacements) {
    if (replacement.letter == letter) return replacement.plain;
  }
  for (const LetterRange& range : kLetterRanges) {
    if (letter >= range.first && letter - range.first < range.plain.size()) {
      return range.plain.substr(letter - range.first, 1);
    }
  }
  return "?";
}

/// UTF-8 in letters that OpenCV can draw. What is not UTF-8 becomes `?`.
std::string plain_text(std::string_view utf8) {
  std::string plain;
  while (!utf8.empty()) {
    const auto letter = take_character(utf8);
    plain += letter ? plain_letter(*letter) : "?";
    if (letter) continue;
    // A character that is cut is one mark, not one for each of its bytes.
    while (!utf8.empty() && (static_cast<std::uint8_t>(utf8.front()) & 0xC0U) == 0x80) {
      utf8.remove_prefix(1);
    }
  }
  return plain;
}

// ---- Letters -----------------------------------------------------------------------------------

/// Draws lines of text. OpenCV's thin strokes are drawn large and made smaller, which is smoother
/// than its own anti-aliasing.
class Pen {
 public:
  explicit Pen(int cell_px)
      : capital_px_(std::clamp(cell_px * 0.037, 8.0, 24.0)),
        scale_(kOversampling * capital_px_ / kCapitalAtScale1_px),
        thickness_(
            std::max(1, static_cast<int>(std::lround(capital_px_ * kOversampling * 0.125)))) {}

  int line_height_px() const { return static_cast<int>(std::lround(capital_px_ * 1.9)); }

  int width_px(const std::string& text) const {
    int below = 0;
    const int large = cv::getTextSize(text, kFont, scale_, thickness_, &below).width;
    return (large + kOversampling - 1) / kOversampling;
  }

  /// Puts `text` in the middle of the line that begins at (x, y) and is `room_px` wide.
  void draw(cv::Mat& sheet, const std::string& text, int x, int y, int room_px) const {
    if (text.empty()) return;
    const int height = line_height_px();
    cv::Mat large = cv::Mat::zeros(height * kOversampling, room_px * kOversampling, CV_8UC1);
    const int left = std::max(0, (room_px - width_px(text)) / 2);
    const int baseline = static_cast<int>(std::lround(capital_px_ * 1.5 * kOversampling));
    cv::putText(large, text, {left * kOversampling, baseline}, kFont, scale_, cv::Scalar(255),
                thickness_, cv::LINE_AA);
    cv::Mat cover;
    cv::resize(large, cover, {room_px, height}, 0, 0, cv::INTER_AREA);
    for (int row = 0; row < height; ++row) {
      for (int column = 0; column < room_px; ++column) {
        const int ink = cover.at<std::uint8_t>(row, column);
        const auto shade = static_cast<std::uint8_t>((kGround * (255 - ink) + kInk * ink) / 255);
        if (ink != 0) sheet.at<cv::Vec3b>(y + row, x + column) = {shade, shade, shade};
      }
    }
  }

 private:
  static constexpr int kFont = cv::FONT_HERSHEY_SIMPLEX;
  static constexpr int kOversampling = 4;
  static constexpr double kCapitalAtScale1_px = 21;

  double capital_px_;
  double scale_;
  int thickness_;
};

std::vector<std::string> list_embedding_names(const std::string& text) {
  std::vector<std::string> words;
  std::size_t position = 0;
  while ((position = text.find_first_not_of(' ', position)) != std::string::npos) {
    const std::size_t end = std::min(text.find(' ', position), text.size());
    words.push_back(text.substr(position, end - position));
    position = end;
  }
  return words;
}

/// `label` in at most two lines of `room_px`, with dots where something is left out.
std::vector<std::string> wrapped(const std::string& label, const Pen& pen, int room_px) {
  std::vector<std::string> lines;
  bool cut = false;
  for (std::string word : list_embedding_names(plain_text(label))) {
    while (!word.empty()) {
      if (!lines.empty()) {
        const std::string longer = lines.back() + " " + word;
        if (pen.width_px(longer) <= room_px) {
          lines.back() = longer;
          break;
        }
      }
      if (lines.size() == kMaxLabelLines) {
        cut = true;
        break;
      }
      // A word that is too long for a line of its own is broken where the line ends.
      std::size_t fitting = word.size();
      while (fitting > 1 && pen.width_px(word.substr(0, fitting)) > room_px) --fitting;
      lines.push_back(word.substr(0, fitting));
      word.erase(0, fitting);
      if (!word.empty() && lines.size() == kMaxLabelLines) {
        cut = true;
        break;
      }
    }
    if (cut) break;
  }
  if (cut) {
    std::string& last = lines.back();
    while (!last.empty() && (last.back() == ' ' || pen.width_px(last + "...") > room_px)) {
      last.pop_back();
    }
    last += "...";
  }
  return lines;
}

// ---- Pictures ----------------------------------------------------------------------------------

struct Size {
  int width_px;
  int height_px;
};

/// The size at which a picture stands in its cell.
Size fitted(const Image& image, int cell_px) {
  if (image.width_px < 1 || image.height_px < 1) return {cell_px, cell_px};
  const double scale = std::min(static_cast<double>(cell_px) / image.width_px,
                                static_cast<double>(kMaxCellHeights) * cell_px / image.height_px);
  const auto scaled = [scale](int length) {
    return std::max(1, static_cast<int>(std::lround(length * scale)));
  };
  return {scaled(image.width_px), scaled(image.height_px)};
}

/// Enlarged, each pixel becomes a sharp square: repeated to at least the size wanted, then averaged
/// down to it, so that all squares are of one size.
Image scale_to_fit(const Image& image, Size size) {
  const int factor = std::max((size.width_px + image.width_px - 1) / image.width_px,
                              (size.height_px + image.height_px - 1) / image.height_px);
  if (factor <= 1) return resize(image, size.width_px, size.height_px);
  Image repeated(image.width_px * factor, image.height_px * factor);
  std::uint8_t* target = repeated.rgb.data();
  for (int y = 0; y < repeated.height_px; ++y) {
    for (int x = 0; x < repeated.width_px; ++x, target += 3) {
      const std::size_t source =
          3 * (static_cast<std::size_t>(y / factor) * static_cast<std::size_t>(image.width_px) +
               static_cast<std::size_t>(x / factor));
      std::copy_n(image.rgb.data() + source, 3, target);
    }
  }
  return resize(repeated, size.width_px, size.height_px);
}

void place(cv::Mat& sheet, const Image& image, Size size, int x, int y) {
  cv::Mat target = sheet(cv::Rect(x, y, size.width_px, size.height_px));
  if (image.width_px < 1 || image.height_px < 1) {
    target.setTo(cv::Scalar::all(kMissingImage));
    return;
  }
  Image tile = scale_to_fit(image, size);
  cv::Mat(tile.height_px, tile.width_px, CV_8UC3, tile.rgb.data()).copyTo(target);
}

int choose_gap(int cell_px) { return std::max(4, cell_px / 16); }

}  // namespace

Image contact_sheet(const std::vector<SheetCell>& cells, int columns, int cell_px) {
  return draw_contact_sheet(cells, columns, cell_px).image;
}

Rect place_in_first_row(int index, int cell_px) {
  const int gap_px = choose_gap(cell_px);
  return {gap_px + index * (cell_px + gap_px), gap_px, cell_px, cell_px};
}

ContactSheet draw_contact_sheet(const std::vector<SheetCell>& cells, int columns, int cell_px) {
  if (cell_px < 1 || columns < 0) throw InternalError("contact_sheet: impossible size");
  const int count = static_cast<int>(cells.size());
  if (columns == 0) columns = static_cast<int>(std::ceil(std::sqrt(static_cast<double>(count))));
  columns = std::clamp(columns, 1, std::max(1, count));
  const int gap_px = choose_gap(cell_px);

  try {
    const Pen pen(cell_px);
    struct Row {
      int images_px = 0;
      int labels_px = 0;
    };
    std::vector<Row> rows(static_cast<std::size_t>((count + columns - 1) / columns));
    std::vector<std::vector<std::string>> labels;
    for (int i = 0; i < count; ++i) {
      const SheetCell& cell = cells[static_cast<std::size_t>(i)];
      Row& row = rows[static_cast<std::size_t>(i / columns)];
      row.images_px = std::max(row.images_px, fitted(cell.image, cell_px).height_px);
      labels.push_back(wrapped(cell.label, pen, cell_px));
      row.labels_px =
          std::max(row.labels_px, static_cast<int>(labels.back().size()) * pen.line_height_px());
    }
    int height_px = gap_px;
    for (const Row& row : rows) height_px += row.images_px + row.labels_px + gap_px;

    ContactSheet result{Image(gap_px + columns * (cell_px + gap_px), height_px), {}};
    Image& sheet = result.image;
    std::fill(sheet.rgb.begin(), sheet.rgb.end(), kGround);
    cv::Mat canvas(sheet.height_px, sheet.width_px, CV_8UC3, sheet.rgb.data());
    int y = gap_px;
    for (int i = 0; i < count; ++i) {
      const SheetCell& cell = cells[static_cast<std::size_t>(i)];
      const Row& row = rows[static_cast<std::size_t>(i / columns)];
      const int x = gap_px + i % columns * (cell_px + gap_px);
      const Size size = fitted(cell.image, cell_px);
      const Rect& at = result.places.emplace_back(Rect{x + (cell_px - size.width_px) / 2,
                                                       y + (row.images_px - size.height_px),
                                                       size.width_px, size.height_px});
      place(canvas, cell.image, size, at.x_px, at.y_px);
      int line_y = y + row.images_px;
      for (const std::string& line : labels[static_cast<std::size_t>(i)]) {
        pen.draw(canvas, line, x, line_y, cell_px);
        line_y += pen.line_height_px();
      }
      if (i % columns == columns - 1) y += row.images_px + row.labels_px + gap_px;
    }
    return result;
  } catch (const cv::Exception& error) {
    throw InternalError(std::string("OpenCV cannot make a contact sheet: ") + error.what());
  }
}

}  // namespace sdx
