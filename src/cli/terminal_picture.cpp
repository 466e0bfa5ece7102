#include "cli/terminal_picture.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string_view>

#include "sdx/image/decode.h"
#include "sdx/image/sixel.h"
#include "sdx/image/transform.h"
#include "sdx/util/base64.h"

namespace sdx {

namespace {

const std::string kRows = std::to_string(kTerminalPictureRows);
/// Of base64 that one escape sequence of kitty may hold.
constexpr std::size_t kKittyChunk = 4096;

/// Terminals that show sixels, by the beginning of `TERM`; each names itself, also over ssh.
constexpr std::array<std::string_view, 3> kSixelTerminals = {"foot", "mlterm", "contour"};
/// Of a line, where the terminal does not say how many pixels it has: few have less.
constexpr int kUsualLineHeight_px = 12;
/// Sixels come in bands of so many rows.
constexpr int kBandRows = 6;

std::string_view read_variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string write_for_kitty(const std::string& data) {
  std::string text;
  for (std::size_t at = 0; at < data.size(); at += kKittyChunk) {
    const bool is_last = at + kKittyChunk >= data.size();
    // a=T: show at once; f=100: a PNG; q=2: no answer, which would be taken for typing.
    text += "\x1b_G";
    if (at == 0) text += "a=T,f=100,q=2,r=" + kRows + ",";
    text += (is_last ? "m=0;" : "m=1;") + data.substr(at, kKittyChunk) + "\x1b\\";
  }
  return text;
}

/// The picture as large as the lines that it gets, or smaller where the terminal is too narrow.
Image fit_to_terminal(const Image& image) {
  winsize size = {};
  ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size);
  const int line_px = size.ws_row > 0 && size.ws_ypixel >= size.ws_row * kBandRows
                          ? size.ws_ypixel / size.ws_row
                          : kUsualLineHeight_px;
  double height = kTerminalPictureRows * line_px;
  double width = height * image.width_px / image.height_px;
  if (size.ws_xpixel > 0 && width > size.ws_xpixel) {
    height *= size.ws_xpixel / width;
    width = size.ws_xpixel;
  }
  const int bands = std::max(static_cast<int>(height) / kBandRows, 1);
  return resize(image, std::max(static_cast<int>(width), 1), bands * kBandRows);
}

/// Terminals differ in where sixels leave the cursor. So the lines are made first, and the cursor
/// is put back to the first of them and behind the last.
std::string write_sixels(const Image& image) {
  return std::string(kTerminalPictureRows, '\n') + "\x1b[" + kRows + "A\x1b" + "7" +
         to_sixel(fit_to_terminal(image)) + "\x1b" + "8\x1b[" + kRows + "B\r";
}

}  // namespace

TerminalPictures find_terminal_pictures() {
  const std::string_view terminal = read_variable("TERM");
  const std::string_view program = read_variable("TERM_PROGRAM");
  const bool is_behind = !read_variable("TMUX").empty() || !read_variable("STY").empty() ||
                         terminal.starts_with("screen") || terminal.starts_with("tmux");
  if (is_behind) return TerminalPictures::kNone;
  if (program == "iTerm.app" || program == "WezTerm" || read_variable("LC_TERMINAL") == "iTerm2") {
    return TerminalPictures::kIterm;
  }
  if (terminal == "xterm-kitty" || terminal == "xterm-ghostty" ||
      !read_variable("KITTY_WINDOW_ID").empty()) {
    return TerminalPictures::kKitty;
  }
  const bool shows_sixels =
      program == "mintty" || std::ranges::any_of(kSixelTerminals, [&](std::string_view name) {
        return terminal.starts_with(name);
      });
  return shows_sixels ? TerminalPictures::kSixel : TerminalPictures::kNone;
}

std::string to_terminal_picture(const std::string& png, TerminalPictures way) {
  if (way == TerminalPictures::kNone || png.empty()) return "";
  if (way == TerminalPictures::kSixel) return write_sixels(decode_image_bytes(png).image);
  const std::string data = to_base64(png);
  if (way == TerminalPictures::kKitty) return write_for_kitty(data) + "\n";
  return "\x1b]1337;File=inline=1;preserveAspectRatio=1;size=" + std::to_string(png.size()) +
         ";height=" + kRows + ":" + data + "\a\n";
}

std::string erase_terminal_picture(TerminalPictures way) {
  // a=d: delete; d=C: what lies under the cursor, and its data.
  return way == TerminalPictures::kKitty ? "\x1b_Ga=d,d=C,q=2\x1b\\" : "";
}

}  // namespace sdx
