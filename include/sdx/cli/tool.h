#pragma once

#include <functional>
#include <span>
#include <string>

#include "sdx/cli/options.h"
#include "sdx/device/device.h"
#include "sdx/model/bundle.h"

namespace sdx {

/// Runs a tool: installs the stop handlers, calls `command`, prints what it throws as one line on
/// stderr, and gives the exit code. The only place where exceptions become exit codes.
int run_tool(const char* tool, int argc, char** argv,
             const std::function<void(int argc, char** argv)>& command);

/// What can be typed: a tool ("sdx-model") or a part of one ("import"), each with a --help of its
/// own.
struct Command {
  const char* name;
  void (*run)(int argc, char** argv);
  std::span<const Command> (*parts)() = nullptr;  ///< nullptr: it has none
};

/// Every tool; with their parts, all that the programs can do.
std::span<const Command> tools();

/// Runs the part that argv[1] names, with its name as argv[0].
/// @returns false if no part has that name, or there is none
bool run_part(std::span<const Command> parts, int argc, char** argv);

void train_command(int argc, char** argv);
void generate_command(int argc, char** argv);
void tokenize_command(int argc, char** argv);
void roster_command(int argc, char** argv);
std::span<const Command> roster_parts();
void model_command(int argc, char** argv);
std::span<const Command> model_parts();
/// `sdx-model embedding`, a part of model_command().
void embedding_command(int argc, char** argv);
std::span<const Command> embedding_parts();
/// Of sdx-bench, for developers: what the parts of a model take on this machine.
void bench_command(int argc, char** argv);

/// A message of the library, which names settings by their keys in backticks, with the options that
/// set them: "`steps`: …" becomes "--steps: …".
std::string with_option_names(const std::string& message);

/// A line for the person at the terminal, on stderr, above the progress bar; nothing with --quiet.
void say(const std::string& line);

/// One JSON object as a line on stdout, with --json only.
void say_json(const CommonOptions& options, const Json& object);

/// Where the models compute, by --device and --dtype; sets --threads.
/// @throws see choose_target()
ComputeTarget compute_target(const CommonOptions& options);

/// The bundle that --model names; says so in a line when it is the small built-in one by default.
Bundle open_model(const CommonOptions& options);

/// Tool version and git revision: "sdx 0.1.0 (1a2b3c4)".
std::string version_text();

}  // namespace sdx
