#pragma once

#include <functional>

#include "sdx/cli/command_line.h"

namespace sdx {

// The parts of sdx-roster: each adds its settings and gives what it does.
std::function<void()> define_roster_run(CommandLine& line);
std::function<void()> define_roster_slurm(CommandLine& line);
std::function<void()> define_roster_retry(CommandLine& line);
std::function<void()> define_roster_status(CommandLine& line);
std::function<void()> define_roster_forget(CommandLine& line);
std::function<void()> define_roster_page(CommandLine& line);
std::function<void()> define_roster_check(CommandLine& line);
std::function<void()> define_roster_who(CommandLine& line);

}  // namespace sdx
