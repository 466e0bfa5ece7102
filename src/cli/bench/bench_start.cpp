#include "cli/bench/bench_start.h"

#include <ATen/record_function.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string_view>

#include "sdx/generation/generator.h"
#include "sdx/util/error.h"

namespace sdx {

namespace {

std::atomic<double> first_convolution = 0;
std::atomic<double> first_convolution_cpu = 0;

double cpu_seconds() {
  timespec used{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

std::unique_ptr<at::ObserverContext> note_convolution(const at::RecordFunction& call) {
  const std::string_view name = call.name();
  const bool is_one = name.starts_with("aten::conv") || name.starts_with("mkldnn::_convolution");
  if (is_one && first_convolution == 0) {
    first_convolution = process_age_seconds();
    first_convolution_cpu = cpu_seconds();
  }
  return nullptr;
}

/// What /proc/self/stat says of when the process started, in seconds after the system's start.
double start_seconds() {
  constexpr int kStartField = 22;
  std::ifstream file("/proc/self/stat");
  std::string text{std::istreambuf_iterator<char>(file), {}};
  // The second field is a name in brackets, which may hold blanks.
  std::istringstream fields(text.substr(text.rfind(')') + 1));
  std::string field;
  for (int i = 3; i <= kStartField; ++i) fields >> field;
  return std::stod(field) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

}  // namespace

double process_age_seconds() {
  static const double start = start_seconds();
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9 - start;
}

Json measure_start(const Bundle& bundle, const ComputeTarget& target, ImageRequest request) {
  request.settings.sampler.steps = 2;
  const Generator generator(bundle, target);
  const auto handle = at::addGlobalCallback(at::RecordFunctionCallback(note_convolution));
  std::vector<double> ends;
  struct Seen {};
  try {
    generator.generate({request}, {}, {}, {}, [&](int done, int total) {
      ends.push_back(process_age_seconds());
      if (done == total) throw Seen{};  // the decoder has no part in this
    });
  } catch (const Seen&) {
  }
  at::removeCallback(handle);
  if (first_convolution == 0) throw InternalError("no convolution was seen in a UNet's step");
  return {{"seconds", first_convolution.load()},
          {"cpu_seconds", first_convolution_cpu.load()},
          {"first_step_seconds", ends.at(0) - first_convolution},
          {"second_step_seconds", ends.at(1) - ends.at(0)}};
}

}  // namespace sdx
