#pragma once

namespace sdx {

/// sdx-bench: what the parts of a model take on this machine. For developers, so not installed.
void bench_command(int argc, char** argv);

}  // namespace sdx
