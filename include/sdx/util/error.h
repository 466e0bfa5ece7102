#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace sdx {

/// What a process of ours exits with. The numbers are those of BSD's sysexits.h, so that a batch
/// script can tell "retry later" (75) from "you typed it wrong" (64).
enum class ExitCode : int {
  kOk = 0,
  kUsage = 64,         ///< wrong option, unknown <Name>, impossible value
  kData = 65,          ///< a file that is there but is not what it should be
  kMissingInput = 66,  ///< no such file or folder, too few portraits
  kUnavailable = 69,   ///< a device or model that this machine does not have
  kInternal = 70,      ///< a bug of ours
  kCannotCreate = 73,  ///< an output folder or file that cannot be made
  kIo = 74,            ///< reading or writing failed half-way: disk full, I/O error
  kTryAgain = 75,      ///< out of memory, somebody else holds the lock
  kPermission = 77,    ///< not allowed to read or write there
  kConfig = 78,        ///< a configuration file or a rule of the user's that forbids it
  kInterrupted = 130,  ///< Ctrl-C (SIGINT)
  kTerminated = 143,   ///< SIGTERM
};

/// Root of everything that the library throws on purpose. The message is for the person at the
/// terminal: what, where, expected against found, and what to do. It has no trailing full stop
/// where a path or a list ends it, and no line breaks beyond two lines.
///
/// The library knows settings, not options of a command line. A message names a setting by its key
/// in backticks: "`steps`: expected 1 or more, found 0". Whoever shows the message may write the
/// name as its user knows it; the command line makes --steps of it.
class Error : public std::runtime_error {
 public:
  Error(ExitCode exit_code, const std::string& message)
      : std::runtime_error(message), exit_code_(exit_code) {}

  ExitCode exit_code() const { return exit_code_; }

 private:
  ExitCode exit_code_;
};

/// An Error whose exit code is fixed by its type, so that tests can catch by kind.
template <ExitCode kCode>
class ErrorOf : public Error {
 public:
  explicit ErrorOf(const std::string& message) : Error(kCode, message) {}
};

using UsageError = ErrorOf<ExitCode::kUsage>;
using DataError = ErrorOf<ExitCode::kData>;
using MissingInputError = ErrorOf<ExitCode::kMissingInput>;
using UnavailableError = ErrorOf<ExitCode::kUnavailable>;
using InternalError = ErrorOf<ExitCode::kInternal>;
using CannotCreateError = ErrorOf<ExitCode::kCannotCreate>;
using IoError = ErrorOf<ExitCode::kIo>;
using TryAgainError = ErrorOf<ExitCode::kTryAgain>;
using PermissionError = ErrorOf<ExitCode::kPermission>;
using ConfigError = ErrorOf<ExitCode::kConfig>;

/// A setting with a value that it cannot have.
class SettingError : public UsageError {
 public:
  /// @param field    the key of the setting: "steps"
  /// @param expected what it may be: "1 or more"
  /// @param found    what it is, shown in quotes
  SettingError(const std::string& field, const std::string& expected, std::string_view found);

  const std::string& field() const { return field_; }

 private:
  std::string field_;
};

/// The Error that fits the errno `error_number` of a failed system call: `action` is what was tried
/// ("write"), `path` what it was tried on.
/// ENOENT → MissingInputError, EACCES/EPERM/EROFS → PermissionError, ENOMEM → TryAgainError,
/// everything else → IoError.
[[noreturn]] void throw_errno(int error_number, const std::string& action, const std::string& path);

}  // namespace sdx
