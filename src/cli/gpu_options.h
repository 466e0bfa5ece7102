#pragma once

#include <string>
#include <vector>

#include "sdx/cli/common_options.h"

namespace sdx {

/// Among which GPUs of this machine the work of a command is shared.
struct GpuOptions {
  std::string gpus = "all";  ///< see choose_gpus()
  bool is_given = false;     ///< somebody said it
  /// The process whose work this one does a part of, on the only GPU that it sees; 0: none. Set by
  /// that process (GpuTeam), never by a person.
  int part_of = 0;
};

/// Adds what is asked of the GPUs.
void add_gpu_options(CommandLine& line, GpuOptions& options);

/// The GPUs among which work is shared, if there are several: else where all is computed is in
/// `common`, which may be changed for it. Sets the processor's threads.
/// @throws UsageError if the options contradict each other; as choose_gpus().
std::vector<int> share_among(const GpuOptions& options, CommonOptions& common);

/// To be called first by a process that does a part of another's work: it ends with that one, which
/// alone hears Ctrl-C.
/// @throws Error (143) if that one has ended already.
void begin_part(const GpuOptions& options);

}  // namespace sdx
