#pragma once

#include "sdx/cli/command_line.h"
#include "sdx/model/model_options.h"

namespace sdx {

/// The heading of the options about messages in help.
inline constexpr const char* kMessageGroup = "Messages";

/// What every tool with a model is given.
struct CommonOptions : ModelOptions {
  bool json = false;  ///< one JSON object a line on stdout
  bool quiet = false;
  bool verbose = false;
};

/// The model, the device, and the messages.
void add_common_options(CommandLine& line, CommonOptions& options);

/// Of these --json and -q, for what computes nothing.
void add_message_options(CommandLine& line, CommonOptions& options);

}  // namespace sdx
