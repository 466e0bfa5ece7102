#pragma once

#include <string>

namespace sdx {

/// How a terminal takes pictures amid its text.
enum class TerminalPictures {
  kNone,   ///< not at all, or nothing says that it does
  kKitty,  ///< kitty's graphics protocol: kitty, Ghostty
  kIterm,  ///< iTerm2's inline images: iTerm2, WezTerm
};

/// What the terminal says of itself in `TERM`, `TERM_PROGRAM`, `LC_TERMINAL` and `KITTY_WINDOW_ID`.
/// Behind tmux or screen, which do not pass pictures on, none.
TerminalPictures find_terminal_pictures();

/// How many lines of a terminal a picture takes.
inline constexpr int kTerminalPictureRows = 10;

/// What shows a picture kTerminalPictureRows high, with the line's end that follows it.
/// @param png the bytes of a PNG file
/// Sources: "Terminal graphics protocol" of kitty; "Inline Images Protocol" of iTerm2.
std::string to_terminal_picture(const std::string& png, TerminalPictures way);

/// What takes a picture away whose first line the cursor is in, where clearing the lines does not.
std::string erase_terminal_picture(TerminalPictures way);

}  // namespace sdx
