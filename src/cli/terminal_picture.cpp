#include "cli/terminal_picture.h"

#include <cstdlib>
#include <string_view>

#include "sdx/util/base64.h"

namespace sdx {

namespace {

const std::string kRows = std::to_string(kTerminalPictureRows);
/// Of base64 that one escape sequence of kitty may hold.
constexpr std::size_t kKittyChunk = 4096;

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
  return TerminalPictures::kNone;
}

std::string to_terminal_picture(const std::string& png, TerminalPictures way) {
  if (way == TerminalPictures::kNone || png.empty()) return "";
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
