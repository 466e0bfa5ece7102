#pragma once

#include <span>

namespace sdx {

/// Where the toolkit's library lies, seen from the folder of a program, and the function in it that
/// runs a tool: `int(const char* tool, int argc, char** argv)`, which gives the exit code.
inline constexpr char kToolsLibrary[] = "../lib/sdx/libsdx-tools.so";
inline constexpr char kToolsEntry[] = "sdx_run_tool";

/// A command line that asks only for a text, and that text as the library gives it.
struct Answer {
  const char* question;  ///< "sdx-model import --help"
  const char* text;
};

/// Every tool and part of a tool with --help and with --version; written by the build.
std::span<const Answer> answers();

/// The main() of every program. Answers --help and --version by heart, for which loading libtorch
/// would take longer than reading the answer; everything else is the library's.
/// @returns the exit code
int launch(const char* tool, int argc, char** argv);

}  // namespace sdx
