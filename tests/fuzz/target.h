#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace sdx::fuzz {

/// A reader of bytes that come from elsewhere, and may be anything.
struct Target {
  const char* name;  ///< of its corpus too: tests/fuzz/corpus/<name>
  void (*read)(std::string_view bytes);
};

/// The targets that are linked into this program.
std::vector<Target>& list_targets();
bool add_target(const Target& target);

/// Gives bytes to a reader. An Error is a good answer: the reader refused them, and said why. All
/// else is a find: a crash, an InternalError, any other exception, and more time than is sensible
/// (see time_limit_s).
/// @throws what the reader throws; std::runtime_error for too much time.
void try_target(const Target& target, std::string_view bytes);

/// Gives bytes to a reader, as try_target does, and measures.
/// @returns seconds of this thread's CPU time
/// @throws what the reader throws
double time_target(const Target& target, std::string_view bytes);

/// How long a reader may take, in seconds of its own thread's CPU time. Grows with the input, so
/// that a reader whose time grows with the square of the input is a find: 2 s for 64 KiB.
constexpr double time_limit_s(std::size_t bytes) {
  constexpr double kStart = 0.36;
  constexpr double kPerByte = 25e-6;
  return kStart + kPerByte * static_cast<double>(bytes);
}

/// A folder of this process, which is removed at its end.
const std::filesystem::path& scratch_folder();

/// A file in it with these bytes, in place of what was there.
std::filesystem::path make_file(const std::string& name, std::string_view bytes);

/// Takes what stands before the next byte 0 off the front of `bytes`, or all of it. So one input
/// holds several texts or files.
std::string_view take_section(std::string_view& bytes);

/// Takes the first letter off `bytes`, by which a target chooses among readers; 0 if there is none.
char take_letter(std::string_view& bytes);

}  // namespace sdx::fuzz

/// Defines a target and makes it known. Its body reads `bytes`.
#define SDX_FUZZ_TARGET(name)                          \
  static void read_##name(std::string_view bytes);     \
  [[maybe_unused]] static const bool kIsKnown_##name = \
      sdx::fuzz::add_target({#name, &read_##name});    \
  static void read_##name([[maybe_unused]] std::string_view bytes)
