#include "sdx/cli/tool.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "sdx/util/failure.h"
#include "sdx/util/stop.h"
#include "sdx/version.h"

namespace sdx {

namespace {

/// Makes libgomp's idle threads sleep instead of spin: on a machine that does anything else,
/// spinning ones make a small model ten times slower. libgomp reads its environment when it is
/// loaded, so the program starts itself once more with the variable set, before the libraries'
/// initialisers have run (which is why this works on the raw environment). What the user has set
/// stands.
[[gnu::no_sanitize("address", "undefined")]] void prefer_sleeping_threads(int, char** argv,
                                                                          char** environment) {
  constexpr std::size_t kMostVariables = 4096;
  static char policy[] = "OMP_WAIT_POLICY=passive";
  static char* extended[kMostVariables + 2];
  std::size_t count = 0;
  for (; environment[count] != nullptr && count < kMostVariables; ++count) {
    const bool is_set = std::strncmp(environment[count], "OMP_WAIT_POLICY=", 16) == 0 ||
                        std::strncmp(environment[count], "GOMP_SPINCOUNT=", 15) == 0;
    if (is_set) return;
    extended[count] = environment[count];
  }
  extended[count] = policy;
  execve("/proc/self/exe", argv, extended);  // where it fails, the program goes on as it is
}

[[gnu::section(".preinit_array"),
  gnu::used]] void (*const kBeforeLibraries)(int, char**, char**) = prefer_sleeping_threads;

int fail(const char* tool, const Failure& failure) {
  std::fprintf(stderr, "%s: error: %s\n", tool, failure.text.c_str());
  return static_cast<int>(failure.code);
}

int run_command(const char* tool, int argc, char** argv,
                const std::function<void(int, char**)>& command) {
  const Failure not_written = {ExitCode::kIo, "stdout: writing failed"};
  try {
    command(argc, argv);
    return std::fflush(stdout) == 0 ? 0 : fail(tool, not_written);
  } catch (const TextAnswer& answer) {
    std::fputs(answer.text.c_str(), stdout);
    return std::fflush(stdout) == 0 ? 0 : fail(tool, not_written);
  } catch (const std::exception&) {
    return fail(tool, failure_of(std::current_exception()));
  }
}

}  // namespace

int run_tool(const char* tool, int argc, char** argv,
             const std::function<void(int argc, char** argv)>& command) {
  install_stop_handlers();
  auto logger = spdlog::stderr_color_mt(tool);
  logger->set_pattern("%v");
  spdlog::set_default_logger(logger);
  return run_command(tool, argc, argv, command);
}

void say(const CommonOptions& options, const std::string& line) {
  if (!options.quiet) spdlog::info("{}", line);
}

void say_json(const CommonOptions& options, const Json& object) {
  if (!options.json) return;
  // Names of files need not be UTF-8, JSON must be.
  const std::string line = object.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  std::fputs(line.c_str(), stdout);
  std::fflush(stdout);
}

Bundle open_model(const CommonOptions& options) {
  Bundle bundle = Bundle::find(options.model);
  if (options.model == "mini" && std::getenv("SDX_MODEL") == nullptr) {
    say(options,
        "Using the small built-in model \"mini\" (cartoon portraits, 128 px). "
        "Bring in a real one: sdx-model import FOLDER --name NAME");
  }
  return bundle;
}

std::string version_text() {
  return std::string("sdx ") + kVersion + " (" + kGitRevision + "), libtorch " + kTorchVersion +
         ", OpenCV " + kOpenCvVersion;
}

}  // namespace sdx
