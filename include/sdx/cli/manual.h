#pragma once

#include <string>

#include "sdx/cli/command_line.h"

namespace sdx {

/// The manual page of a tool and its parts, section 1, in the `man` macros of roff: synopsis,
/// description, every option with its default and range, exit codes, environment, files, examples.
/// Source: man-pages(7) and groff_man(7).
/// @param version of the tool, for the page's foot
std::string write_manual_page(const Command& tool, const std::string& version);

}  // namespace sdx
