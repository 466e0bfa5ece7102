#include "sdx/cli/tool.h"

#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <regex>
#include <string_view>

#include "sdx/cli/progress.h"
#include "sdx/util/failure.h"
#include "sdx/util/stop.h"
#include "sdx/version.h"

namespace sdx {

namespace {

/// stderr, where a progress bar may stand.
class MessageSink : public spdlog::sinks::base_sink<std::mutex> {
 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    ProgressBar::write_above(fmt::to_string(line));
  }
  void flush_() override { std::fflush(stderr); }
};

int fail(const char* tool, const Failure& failure) {
  std::fprintf(stderr, "%s: error: %s\n", tool, with_option_names(failure.text).c_str());
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
  auto logger = std::make_shared<spdlog::logger>(tool, std::make_shared<MessageSink>());
  logger->set_pattern("%v");
  spdlog::set_default_logger(logger);
  return run_command(tool, argc, argv, command);
}

std::span<const Command> tools() {
  static constexpr Command kTools[] = {{"sdx-train", train_command},
                                       {"sdx-generate", generate_command},
                                       {"sdx-tokenize", tokenize_command},
                                       {"sdx-model", model_command, model_parts},
                                       {"sdx-roster", roster_command, roster_parts},
                                       {"sdx-bench", bench_command}};
  return kTools;
}

bool run_part(std::span<const Command> parts, int argc, char** argv) {
  if (argc < 2) return false;
  for (const Command& part : parts) {
    if (std::string_view(argv[1]) != part.name) continue;
    part.run(argc - 1, argv + 1);
    return true;
  }
  return false;
}

std::string with_option_names(const std::string& message) {
  static const std::regex kSetting("`([a-z][a-z0-9-]*)`");
  return std::regex_replace(message, kSetting, "--$1");
}

void say(const std::string& line) { spdlog::info("{}", with_option_names(line)); }

void say_json(const CommonOptions& options, const Json& object) {
  if (!options.json) return;
  // Names of files need not be UTF-8, JSON must be.
  const std::string line = object.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  std::fputs(line.c_str(), stdout);
  std::fflush(stdout);
}

ComputeTarget compute_target(const CommonOptions& options) {
  set_compute_threads(options.threads);
  const ComputeTarget target = choose_target(options.device, options.dtype);
  spdlog::debug("Computing on {} in {}, processor threads: {}", target.device.str(),
                precision_name(target.dtype), compute_threads());
  return target;
}

Bundle open_model(const CommonOptions& options) {
  Bundle bundle = Bundle::find(options.model);
  spdlog::debug("Model: {}", bundle.folder().string());
  if (options.model == "mini" && std::getenv("SDX_MODEL") == nullptr) {
    say("Using the small built-in model \"mini\" (cartoon portraits, 128 px). "
        "Bring in a real one: sdx-model import FOLDER --name NAME");
  }
  return bundle;
}

std::string version_text() {
  return std::string("sdx ") + kVersion + " (" + kGitRevision + "), libtorch " + kTorchVersion +
         ", OpenCV " + kOpenCvVersion;
}

}  // namespace sdx
