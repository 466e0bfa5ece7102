#pragma once

#include <functional>
#include <span>
#include <string>

#include "sdx/cli/common_options.h"
#include "sdx/device/device.h"
#include "sdx/model/bundle.h"

namespace sdx {

/// Runs a tool: installs the stop handlers, calls `action`, prints what it throws as one line on
/// stderr, and gives the exit code. The only place where exceptions become exit codes.
int run_tool(const char* tool, const std::function<void()>& action);

/// Every tool; with their parts, all that the programs can do.
std::span<const Command> tools();

std::function<void()> define_train(CommandLine& line);
std::function<void()> define_generate(CommandLine& line);
std::function<void()> define_tokenize(CommandLine& line);
std::span<const Command> roster_parts();
std::span<const Command> model_parts();
/// `sdx-model embedding`, a part of sdx-model.
std::span<const Command> embedding_parts();
/// `sdx-model lora`, another part of it.
std::span<const Command> lora_parts();
/// Of sdx-bench, for developers: what the parts of a model take on this machine.
std::function<void()> define_bench(CommandLine& line);

/// A line for the person at the terminal, on stderr, above the progress bar; nothing with --quiet.
void say(const std::string& line);

/// One JSON object as a line on stdout, with --json only.
void say_json(const CommonOptions& options, const Json& object);

/// Where the models compute, by --device and --dtype; sets --threads.
/// @throws see choose_target()
ComputeTarget compute_target(const CommonOptions& options);

/// The bundle that --model names; says so in a line when it is the small built-in one by default.
Bundle open_model(const CommonOptions& options);

/// Tool version and git revision, as pictures and embeddings carry it: "sdx 0.1.0 (1a2b3c4), …".
std::string version_text();

/// Whether a GPU's work is recorded in this build (device/graph.h): "GPU recordings built in" or
/// "no GPU recordings built in".
std::string recordings_text();

}  // namespace sdx
