#include "sdx/util/failure.h"

#include <c10/util/Exception.h>

#include <filesystem>
#include <new>
#include <string_view>
#include <system_error>

namespace sdx {

namespace {

/// " (2.00 GiB more were wanted)" by "… tried to allocate 2.00 GiB …", which all of libtorch's
/// allocators say; else nothing.
std::string wanted_in(std::string_view text) {
  constexpr std::string_view kBefore = "ried to allocate ";
  const std::size_t found = text.find(kBefore);
  if (found == text.npos) return "";
  const std::size_t number = found + kBefore.size();
  const std::size_t unit = text.find(' ', number) + 1;
  const std::size_t end = text.find_first_of(". \n", unit);
  return " (" + std::string(text.substr(number, end - number)) + " more were wanted)";
}

ExitCode code_for(const std::error_code& error) {
  // Codes of the system: which libraries throw them in their own category.
  if (error == std::errc::permission_denied || error == std::errc::operation_not_permitted ||
      error == std::errc::read_only_file_system) {
    return ExitCode::kPermission;
  }
  if (error == std::errc::no_such_file_or_directory || error == std::errc::not_a_directory) {
    return ExitCode::kMissingInput;
  }
  if (error == std::errc::filename_too_long) return ExitCode::kUsage;
  if (error == std::errc::not_enough_memory || error == std::errc::resource_unavailable_try_again ||
      error == std::errc::too_many_files_open ||
      error == std::errc::too_many_files_open_in_system) {
    return ExitCode::kTryAgain;
  }
  return ExitCode::kIo;
}

std::string describe(const std::filesystem::filesystem_error& error) {
  const std::string places = error.path2().empty()
                                 ? error.path1().string()
                                 : error.path1().string() + " to " + error.path2().string();
  return "cannot get at " + places + ": " + error.code().message();
}

}  // namespace

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

std::optional<std::string> out_of_memory(const std::exception& exception) {
  const std::string_view text = exception.what();
  const bool is_it =
      dynamic_cast<const std::bad_alloc*>(&exception) != nullptr ||
      text.find("out of memory") != text.npos || text.find("can't allocate memory") != text.npos ||
      // cuBLAS and cuDNN: CUBLAS_STATUS_ALLOC_FAILED, …_ALLOCATION_FAILED.
      text.find("ALLOC_FAILED") != text.npos || text.find("ALLOCATION_FAILED") != text.npos ||
      // oneDNN has one text for all that it cannot set up; here it is memory.
      text.find("could not create a primitive") != text.npos ||
      text.find("could not create a memory") != text.npos ||
      text.find("could not execute a primitive") != text.npos;
  if (!is_it) return std::nullopt;
  return "out of memory" + wanted_in(text) +
         "; a smaller `size` or `batch` needs less, and `memory` low in training";
}

Failure to_failure(const std::exception_ptr& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const Error& error) {
    return {error.exit_code(), error.what()};
  } catch (const std::filesystem::filesystem_error& error) {
    return {code_for(error.code()), describe(error)};
  } catch (const std::system_error& error) {
    return {code_for(error.code()), error.what()};
  } catch (const std::exception& error) {
    if (const auto text = out_of_memory(error)) return {ExitCode::kTryAgain, *text};
    const auto* const torch = dynamic_cast<const c10::Error*>(&error);
    return {ExitCode::kInternal, torch ? torch->what_without_backtrace() : error.what()};
  }
}

}  // namespace sdx
