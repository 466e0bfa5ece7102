#pragma once

namespace sdx {

/// Makes the first SIGINT or SIGTERM a request to stop, seen by stop_signal(); the second one ends
/// the process at once with 128 + signal. Also ignores SIGPIPE and SIGXFSZ, so that a closed pipe
/// or a full quota becomes an error that can be reported. Called once, by the tools.
void install_stop_handlers();

/// 0, or the signal that asked to stop. Long loops look at it once a step.
int stop_signal();

}  // namespace sdx
