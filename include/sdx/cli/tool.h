#pragma once

#include <functional>
#include <string>

#include "sdx/cli/options.h"
#include "sdx/model/bundle.h"

namespace sdx {

/// Runs a tool: installs the stop handlers, calls `command`, prints what it throws as one line on
/// stderr, and gives the exit code. The only place where exceptions become exit codes.
int run_tool(const char* tool, int argc, char** argv,
             const std::function<void(int argc, char** argv)>& command);

/// The tools: the mains in tools/ are one line each.
void train_command(int argc, char** argv);
void generate_command(int argc, char** argv);
void tokenize_command(int argc, char** argv);
void roster_command(int argc, char** argv);
void model_command(int argc, char** argv);
/// `sdx-model embedding`, a part of model_command().
void embedding_command(int argc, char** argv);

/// A line for the person at the terminal, on stderr; nothing with --quiet.
void say(const CommonOptions& options, const std::string& line);

/// One JSON object as a line on stdout, with --json only.
void say_json(const CommonOptions& options, const Json& object);

/// The bundle that --model names; says so in a line when it is the small built-in one by default.
Bundle open_model(const CommonOptions& options);

/// Tool version and git revision: "sdx 0.1.0 (1a2b3c4)".
std::string version_text();

}  // namespace sdx
