#include <ATen/Parallel.h>

#include <cstdio>
#include <iostream>

#include "cli/bench/bench_child.h"
#include "cli/bench/bench_options.h"
#include "cli/bench/bench_report.h"
#include "cli/bench/bench_work.h"
#include "sdx/cli/tool.h"
#include "sdx/tensor/flop_meter.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "sdx/util/memory.h"
#include "sdx/util/stop.h"
#include "sdx/util/stopwatch.h"

namespace sdx {

namespace {

Json timed(const BenchWork& work, const c10::Device& device) {
  const Stopwatch watch;
  Json answer = work();
  const double seconds = watch.seconds();
  if (answer.is_null()) answer = Json::object();
  if (!answer.contains("seconds")) answer["seconds"] = seconds;
  if (!answer.contains("cpu_seconds")) answer["cpu_seconds"] = watch.cpu_seconds();
  answer["peak_memory_bytes"] = peak_bytes(device);
  if (!device.is_cpu()) answer["peak_host_memory_bytes"] = peak_memory_bytes();
  return answer;
}

/// The first repetition is the warm-up of whoever asks, so it can be slowed down by counting.
Json counted(const BenchWork& work, const c10::Device& device) {
  const FlopMeter meter;
  Json answer = timed(work, device);
  answer["tflop"] = meter.flops() / 1e12;
  return answer;
}

void serve(const BenchOptions& options) {
  const BenchPhase phase = options.phases.front();
  set_compute_threads(options.threads);
  const c10::Device device = read_target(options).device;
  const BenchWork work = prepare_work(phase, options);
  bool is_first = true;
  for (std::string line; std::getline(std::cin, line) && stop_signal() == 0;) {
    const Json answer = is_first ? counted(work, device) : timed(work, device);
    is_first = false;
    std::puts(answer.dump().c_str());
    std::fflush(stdout);
  }
}

Json measure(BenchPhase phase, const BenchOptions& options, const Json& ceiling,
             const std::string& dtype) {
  std::vector<Json> warm_ups;
  std::vector<Json> answers;
  const std::vector<std::string> arguments = arguments_for(phase, options);
  if (describe_phase(phase).once_per_process) {
    for (int i = 0; i < options.repeats; ++i) answers.push_back(BenchChild(arguments).ask());
  } else if (phase == BenchPhase::kCeiling) {
    answers.push_back(BenchChild(arguments).ask());  // repeats itself
  } else {
    BenchChild child(arguments);
    warm_ups.push_back(child.ask());
    for (int i = 0; i < options.repeats; ++i) answers.push_back(child.ask());
  }
  return summarize(phase, warm_ups, answers, ceiling, dtype);
}

void bench(const BenchOptions& options) {
  set_compute_threads(options.threads);
  const Bundle bundle = Bundle::find(options.model);
  const ComputeTarget target = read_target(options);
  Json report = {{"version", version_text()},
                 {"model", bundle.info().name},
                 {"size_px", options.size_px > 0 ? options.size_px : bundle.info().native_size_px},
                 {"steps", options.steps},
                 {"dtype", precision_name(target.dtype)},
                 {"device", target.device.str()},
                 {"threads", at::get_num_threads()},
                 {"repeats", options.repeats},
                 {"phases", Json::array()}};
  for (const BenchPhase phase : options.phases) {
    if (!options.quiet) {
      std::fprintf(stderr, "measuring %s\n", std::string(describe_phase(phase).name).c_str());
    }
    const Json summary = measure(phase, options, report.value("ceiling", Json::object()),
                                 report["dtype"].get<std::string>());
    if (phase == BenchPhase::kCeiling) report["ceiling"] = summary;
    report["phases"].push_back(summary);
    if (const int signal = stop_signal(); signal != 0) {
      throw Error(static_cast<ExitCode>(128 + signal), "stopped");
    }
  }
  std::fputs(report_table(report).c_str(), stdout);
  if (!options.json_file.empty()) {
    write_file_atomically(options.json_file, report.dump(2) + "\n");
  }
}

}  // namespace

std::function<void()> define_bench(CommandLine& line) {
  auto options = std::make_shared<BenchOptions>();
  line.add(bench_settings(), *options);
  line.add(model_settings(), static_cast<ModelOptions&>(*options));
  return [options] {
    check_bench_options(*options);
    return options->serve ? serve(*options) : bench(*options);
  };
}

}  // namespace sdx
