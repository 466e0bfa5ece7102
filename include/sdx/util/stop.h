#pragma once

namespace sdx {

/// Makes the first SIGINT or SIGTERM a request to stop, which stop_signal() tells. If nobody has
/// asked stop_signal() within a second, because a computation takes longer, or at a second signal,
/// the process ends at once with 128 + signal; temporary files are removed before. Also ignores
/// SIGPIPE and SIGXFSZ, so that a closed pipe or a full quota becomes an error that can be
/// reported. Called once, by the tools.
void install_stop_handlers();

/// 0, or the signal that asked to stop. Long loops look at it once a step. Whoever is told of a
/// signal ends what it does: the process is not ended from without any more.
int stop_signal();

}  // namespace sdx
