#pragma once

#include <filesystem>

namespace sdx {

/// Remembers a temporary file while it is there, so that a signal handler can remove it.
///
/// The names lie in a table of fixed size: a handler may neither take memory nor a lock. A name
/// that finds no place in it is not remembered; such a file stays behind if the process is ended.
void remember_temporary_file(const std::filesystem::path& path);

/// The file is gone, or has its own name now.
void forget_temporary_file(const std::filesystem::path& path);

/// Removes every file that is remembered. Only calls what signal-safety(7) allows.
void remove_temporary_files();

}  // namespace sdx
