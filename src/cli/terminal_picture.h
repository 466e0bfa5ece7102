#pragma once

#include <string>

namespace sdx {

/// How a terminal takes pictures amid its text.
enum class TerminalPictures {
  kNone,   ///< not at all, or nothing says that it does
  kKitty,  ///< kitty's graphics protocol: kitty, Ghostty
  kIterm,  ///< iTerm2's inline images: iTerm2, WezTerm
  kSixel,  ///< DEC's sixels: foot, mlterm, Contour, mintty
};

/// What the terminal says of itself in `TERM`, `TERM_PROGRAM`, `LC_TERMINAL` and `KITTY_WINDOW_ID`.
/// Behind tmux or screen, which do not pass pictures on, none. The terminal is not asked: its
/// answer would come among what is typed, or never. So xterm, which shows sixels only if it is told
/// to, and Windows Terminal, of which only newer ones do, count as terminals without pictures.
TerminalPictures find_terminal_pictures();

/// How many lines of a terminal a picture takes.
inline constexpr int kTerminalPictureRows = 10;

/// What shows a picture kTerminalPictureRows high, with the line's end that follows it.
/// @param png the bytes of a PNG file; shown smaller where it would be wider than the terminal
/// Sources: "Terminal graphics protocol" of kitty; "Inline Images Protocol" of iTerm2.
std::string to_terminal_picture(const std::string& png, TerminalPictures way);

/// What takes a picture away whose first line the cursor is in, where clearing the lines does not.
std::string erase_terminal_picture(TerminalPictures way);

}  // namespace sdx
