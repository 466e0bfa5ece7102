#include "fuzz/target.h"

#include <ctime>
#include <fstream>
#include <stdexcept>

#include "sdx/util/error.h"
#include "support/temp_folder.h"

namespace sdx::fuzz {

namespace fs = std::filesystem;

namespace {

double thread_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

void read_or_refuse(const Target& target, std::string_view bytes) {
  try {
    target.read(bytes);
  } catch (const Error& error) {
    if (error.exit_code() == ExitCode::kInternal) throw;
  }
}

}  // namespace

std::vector<Target>& list_targets() {
  static std::vector<Target> targets;
  return targets;
}

bool add_target(const Target& target) {
  list_targets().push_back(target);
  return true;
}

double time_target(const Target& target, std::string_view bytes) {
  const double start = thread_seconds();
  read_or_refuse(target, bytes);
  return thread_seconds() - start;
}

void try_target(const Target& target, std::string_view bytes) {
  // Once more where it took long: what is made only once, such as a table of names, is not the
  // input's fault.
  const double limit = time_limit_s(bytes.size());
  double seconds = time_target(target, bytes);
  if (seconds > limit) seconds = time_target(target, bytes);
  if (seconds > limit) {
    throw std::runtime_error(std::string(target.name) + ": " + std::to_string(bytes.size()) +
                             " bytes took " + std::to_string(seconds) + " s, expected at most " +
                             std::to_string(limit) + " s");
  }
}

const fs::path& scratch_folder() {
  static const test::TempFolder folder;
  return folder.path();
}

fs::path make_file(const std::string& name, std::string_view bytes) {
  fs::path path = scratch_folder() / name;
  fs::create_directories(path.parent_path());
  std::ofstream stream(path, std::ios::binary | std::ios::trunc);
  stream.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  stream.close();
  if (!stream) throw std::runtime_error("cannot write " + path.string());
  return path;
}

std::string_view take_section(std::string_view& bytes) {
  const std::string_view section = bytes.substr(0, bytes.find('\0'));
  bytes.remove_prefix(std::min(bytes.size(), section.size() + 1));
  return section;
}

char take_letter(std::string_view& bytes) {
  if (bytes.empty()) return 0;
  const char letter = bytes.front();
  bytes.remove_prefix(1);
  return letter;
}

}  // namespace sdx::fuzz

// libheif 1.15 loses some memory of damaged pictures, its own and its decoders'. Only builds with
// the sanitizers call this.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() {
  return "leak:libheif.so\nleak:libdav1d.so\nleak:libde265.so\nleak:libaom.so\n";
}
