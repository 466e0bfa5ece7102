#pragma once

#include <exception>
#include <optional>
#include <string>

#include "sdx/util/error.h"

namespace sdx {

/// A failure, described for a person and for a script.
struct Failure {
  ExitCode code = ExitCode::kOk;
  std::string text;  ///< without a backtrace
};

/// Whether doing the same again may succeed without anybody changing anything but the machine's
/// load: out of memory, a lock, a full disk, a device that is absent.
bool may_pass(ExitCode code);

/// If the exception says that memory ran out, on the device or not: that, and what needs less. Also
/// of exceptions that say so in words alone, as libtorch's.
std::optional<std::string> out_of_memory(const std::exception& exception);

/// Any exception as a Failure: an Error as it is; memory that ran out, on the device or not, as
/// kTryAgain with what needs less; everything else, libtorch's included, as kInternal.
Failure to_failure(const std::exception_ptr& exception);

}  // namespace sdx
