#include "sdx/util/failure.h"

#include <c10/util/Exception.h>

#include <new>

namespace sdx {

bool may_pass(ExitCode code) {
  switch (code) {
    case ExitCode::kTryAgain:
    case ExitCode::kIo:
    case ExitCode::kUnavailable:
    case ExitCode::kInterrupted:
    case ExitCode::kTerminated:
      return true;
    default:
      return false;
  }
}

Failure failure_of(const std::exception_ptr& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const Error& error) {
    return {error.exit_code(), error.what()};
  } catch (const c10::OutOfMemoryError& error) {
    return {ExitCode::kTryAgain, "out of GPU memory; a smaller --batch or --size needs less: " +
                                     std::string(error.what_without_backtrace())};
  } catch (const std::bad_alloc&) {
    return {ExitCode::kTryAgain, "out of memory; a smaller --batch or --size needs less"};
  } catch (const c10::Error& error) {
    return {ExitCode::kInternal, error.what_without_backtrace()};
  } catch (const std::exception& error) {
    return {ExitCode::kInternal, error.what()};
  }
}

}  // namespace sdx
