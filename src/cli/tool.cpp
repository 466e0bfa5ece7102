#include "sdx/cli/tool.h"

#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string_view>

#include "sdx/cli/progress.h"
#include "sdx/device/graph.h"
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
  std::fprintf(stderr, "%s: error: %s\n", tool, to_terminal_text(failure.text).c_str());
  return static_cast<int>(failure.code);
}

int run_action(const char* tool, const std::function<void()>& action) {
  const Failure not_written = {ExitCode::kIo, "stdout: writing failed"};
  try {
    action();
    return std::fflush(stdout) == 0 ? 0 : fail(tool, not_written);
  } catch (const TextAnswer& answer) {
    std::fputs(answer.text.c_str(), stdout);
    return std::fflush(stdout) == 0 ? 0 : fail(tool, not_written);
  } catch (const std::exception&) {
    return fail(tool, to_failure(std::current_exception()));
  }
}

}  // namespace

int run_tool(const char* tool, const std::function<void()>& action) {
  install_stop_handlers();
  auto logger = std::make_shared<spdlog::logger>(tool, std::make_shared<MessageSink>());
  logger->set_pattern("%v");
  spdlog::set_default_logger(logger);
  return run_action(tool, action);
}

std::span<const Command> tools() {
  static constexpr Command kTools[] = {
      {"sdx-train", "Train an embedding, <Name>, from a folder of at least three pictures",
       "  sdx-train portraits/johannes --name Johannes\n"
       "  sdx-train portraits/johannes --name Johannes --init \"a man with glasses\" --vectors 4\n"
       "  sdx-train styles/watercolour --name watercolour2 --kind style\n"
       "  sdx-train --resume runs/Johannes\n",
       define_train},
      {"sdx-generate", "Make pictures from prompts, in which <Name> stands for a trained person",
       "  sdx-generate \"<Johannes> riding a unicorn, digital art\" -n 4 --seed 7\n"
       "  sdx-generate --prompts prompts.txt --names Johannes,Markus --grid\n"
       "  sdx-generate --from-image pictures/0001-7-johannes.png --seed +1\n"
       "  sdx-generate \"<Johannes>, snow\" --xy \"cfg=3,5,7\" \"sampler=euler,dpmpp_2m\"\n",
       define_generate},
      {"sdx-tokenize", "Show how a text becomes tokens, chunks and spliced-in vectors",
       "  sdx-tokenize \"a rendering of <Johannes>\"\n"
       "  sdx-tokenize --json < prompts.txt\n"
       "  sdx-tokenize --tokenizer spiece.model \"Grüße\"\n"
       "  sdx-tokenize --decode 320 1125\n",
       define_tokenize},
      {"sdx-model", "Import models, and show or check those that are there",
       "  sdx-model import v1-5-pruned-emaonly.safetensors --name sd15\n"
       "  sdx-model list\n"
       "  sdx-model show sd15\n"
       "  sdx-model verify sd15\n"
       "  sdx-model embedding show embeddings/Ada.pt\n",
       nullptr, model_parts},
      {"sdx-roster", "Train a whole team from a list of people, and make everybody's pictures",
       "  sdx-roster check team.csv\n"
       "  sdx-roster run team.csv --prompts statcrew --out team\n"
       "  sdx-roster slurm team.csv --prompts statcrew --out team > job.sh\n"
       "  sdx-roster status team\n"
       "  sdx-roster retry team\n"
       "  sdx-roster page team Johannes\n"
       "  sdx-roster forget team Johannes\n"
       "  sdx-roster who photo.jpg --team team\n",
       nullptr, roster_parts},
      {"sdx-bench", "Measure a model's parts on this machine: time, arithmetic, peak memory",
       "  sdx-bench\n"
       "  sdx-bench --model sd15 --phases ceiling,unet,step --json sd15.json\n"
       "  yes | head -3 | sdx-bench --serve --phases unet\n",
       define_bench}};
  return kTools;
}

void say(const std::string& line) { spdlog::info("{}", to_terminal_text(line)); }

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
  if (!target.remark.empty()) say(target.remark);
  spdlog::debug("Computing on {} in {}, processor threads: {}", target.device.str(),
                precision_name(target.dtype), compute_threads());
  if (!target.device.is_cpu()) {
    spdlog::debug("{}: {}", recordings_text(),
                  has_device_graphs()
                      ? "passes of the UNet are started as a whole"
                      : "kernels are started one by one, which is slower (docs/gpu.md)");
  }
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

std::string recordings_text() {
  return has_device_graphs() ? "GPU recordings built in" : "no GPU recordings built in";
}

std::string version_text() {
  return std::string("sdx ") + kVersion + " (" + kGitRevision + "), libtorch " + kTorchVersion +
         ", OpenCV " + kOpenCvVersion;
}

}  // namespace sdx
