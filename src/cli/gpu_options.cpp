#include "cli/gpu_options.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>

#include "cli/gpu_team.h"
#include "sdx/device/device.h"
#include "sdx/device/gpus.h"
#include "sdx/util/error.h"

namespace sdx {

namespace {

constexpr const char* kAuto = "auto";

const SettingsTable<GpuOptions>& gpu_settings() {
  static const SettingsTable<GpuOptions> kTable = [] {
    SettingsTable<GpuOptions> table;
    table.group("Model and device");
    table
        .add("gpus", &GpuOptions::gpus,
             "Share the work among GPUs: all, none (the processor), or their numbers, 0,1")
        .common()
        .of_one_call();
    table.add("part-of", &GpuOptions::part_of, "The process whose work is shared")
        .for_lines_only()
        .from_environment(kPartOf);
    return table;
  }();
  return kTable;
}

/// @param fits whether `device` says the same as `gpus`, or nothing
void check_device(const GpuOptions& options, const CommonOptions& common, bool fits) {
  if (fits) return;
  throw UsageError("`gpus` " + options.gpus + " and `device` " + common.device +
                   " contradict each other: each says where to compute; leave one of them out");
}

}  // namespace

void add_gpu_options(CommandLine& line, GpuOptions& options) {
  line.add(gpu_settings(), options);
  line.after_values([&line, &options] { options.is_given = line.given("gpus").has_value(); });
}

std::vector<int> share_among(const GpuOptions& options, CommonOptions& common) {
  set_compute_threads(common.threads);
  const bool is_any_gpu = common.device == kAuto || common.device == kGpu;
  if (!is_any_gpu && !options.is_given) return {};
  std::vector<int> gpus = choose_gpus(options.gpus, count_gpus());
  if (options.gpus == "none") {
    check_device(options, common, common.device == kAuto || common.device == kProcessor);
    common.device = kProcessor;
    return {};
  }
  check_device(options, common, is_any_gpu);
  // "all" of what there is leaves the choice to `device`.
  if (options.gpus != "all") common.device = name_gpu(gpus.front());
  return gpus;
}

void begin_part(const GpuOptions& options) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != options.part_of) {
    throw Error(ExitCode::kTerminated, "the process whose work was to be shared has ended");
  }
  // The terminal tells the whole group; that process passes it on, once.
  std::signal(SIGINT, SIG_IGN);
}

}  // namespace sdx
