#include "launcher/launch.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>

#include "sdx/util/error.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

using Entry = int (*)(const char* tool, int argc, char** argv);

int fail(const char* tool, ExitCode code, const std::string& message) {
  std::fprintf(stderr, "%s: error: %s\n", tool, message.c_str());
  return static_cast<int>(code);
}

/// Opens the standard streams that are closed, on nothing. Else the next file that is opened would
/// get the number of one of them, and messages would be written into it.
void open_closed_streams() {
  int descriptor = 0;
  do {
    descriptor = ::open("/dev/null", O_RDWR);
  } while (descriptor >= 0 && descriptor <= STDERR_FILENO);
  if (descriptor > STDERR_FILENO) ::close(descriptor);
}

/// The text that the command line asks for, or nullptr.
const char* known_answer(const char* tool, int argc, char** argv) {
  std::string question = tool;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word.find(' ') != std::string::npos) return nullptr;  // it would pass for two words
    question += " " + (word == "-h" ? "--help" : word);
  }
  for (const Answer& answer : answers()) {
    if (question == answer.question) return answer.text;
  }
  return nullptr;
}

int print(const char* tool, const char* text) {
  std::signal(SIGPIPE, SIG_IGN);  // a closed pipe is an error that can be reported
  const bool is_written = std::fputs(text, stdout) >= 0 && std::fflush(stdout) == 0;
  return is_written ? 0 : fail(tool, ExitCode::kIo, "stdout: writing failed");
}

/// Makes libgomp's idle threads spin for about 50 microseconds and then sleep. Ones that sleep at
/// once are woken for every small tensor; ones that spin for milliseconds, as they would by
/// themselves, take the cores from other programs (docs/adr/0026-short-spinning.md). libgomp reads
/// its environment once, when it is loaded. What the user has set stands, all of it.
void prefer_short_spinning() {
  constexpr const char* kPolicy = "OMP_WAIT_POLICY";
  constexpr const char* kSpins = "GOMP_SPINCOUNT";
  if (std::getenv(kPolicy) != nullptr || std::getenv(kSpins) != nullptr) return;
  ::setenv(kPolicy, "passive", 1);
  ::setenv(kSpins, "5000", 1);
}

/// Why the libraries could not work in this process, which else die without a word.
struct Hindrance {
  ExitCode code;
  std::string message;
};

std::optional<Hindrance> find_hindrance() {
  // libtorch alone maps 0.8 GB; with less, parts of it end with a segmentation fault.
  constexpr rlim_t kLeastAddressSpace_bytes = 1'000'000'000;
  struct rlimit limit = {};
  if (::getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur < kLeastAddressSpace_bytes) {
    return Hindrance{ExitCode::kTryAgain,
                     "this process may use " + std::to_string(limit.rlim_cur / 1'000'000) +
                         " MB of address space (ulimit -v); expected at least 1000 MB"};
  }
  // MKL ends the process where there is no present folder.
  std::error_code failure;
  const fs::path present = fs::current_path(failure);
  if (failure || present.empty()) {
    return Hindrance{ExitCode::kMissingInput, "the present folder cannot be reached (" +
                                                  failure.message() +
                                                  "); it may have been removed: cd elsewhere"};
  }
  return std::nullopt;
}

}  // namespace

int launch(const char* tool, int argc, char** argv) {
  open_closed_streams();
  if (const char* text = known_answer(tool, argc, argv)) return print(tool, text);

  if (const auto hindrance = find_hindrance()) {
    return fail(tool, hindrance->code, hindrance->message);
  }
  prefer_short_spinning();
  std::error_code failure;
  const fs::path program = fs::read_symlink("/proc/self/exe", failure);
  if (failure) {
    return fail(
        tool, ExitCode::kUnavailable,
        "cannot tell where the running program lies (/proc/self/exe: " + failure.message() + ")");
  }
  const fs::path file = (program.parent_path() / kToolsLibrary).lexically_normal();
  // Global, as if the program were linked with it: some builds of libtorch load parts of themselves
  // later (MKL's kernels), and those look for the rest among the program's symbols.
  void* const library = ::dlopen(file.c_str(), RTLD_LAZY | RTLD_GLOBAL);
  void* const entry = library == nullptr ? nullptr : ::dlsym(library, kToolsEntry);
  if (entry == nullptr) {
    const char* const reason = ::dlerror();
    return fail(tool, ExitCode::kUnavailable,
                "cannot load " + file.string() + " (" + (reason == nullptr ? "?" : reason) +
                    "); install the toolkit again, or name the missing library's folder in "
                    "LD_LIBRARY_PATH");
  }
  return reinterpret_cast<Entry>(entry)(tool, argc, argv);
}

}  // namespace sdx
