#include "cli/gpu_team.h"

#include <poll.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <utility>

#include "sdx/device/device.h"
#include "sdx/device/gpus.h"
#include "sdx/util/error.h"
#include "sdx/util/stop.h"
#include "sdx/util/text.h"

namespace sdx {

namespace {

constexpr int kLookForSignal_ms = 200;

/// Whether an error is about what was asked for: then every process would end with it.
bool concerns_the_task(int code) {
  constexpr std::array kCodes = {ExitCode::kUsage, ExitCode::kData, ExitCode::kMissingInput,
                                 ExitCode::kPermission, ExitCode::kConfig};
  return std::find(kCodes.begin(), kCodes.end(), static_cast<ExitCode>(code)) != kCodes.end();
}

std::string to_line(const Json& message) {
  return message.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

GpuTeam::GpuTeam(std::string tool, std::vector<int> gpus, const std::vector<std::string>& arguments,
                 const CommonOptions& common)
    : tool_(std::move(tool)), gpus_(std::move(gpus)), is_quiet_(common.quiet) {
  for (std::size_t i = 0; i < gpus_.size(); ++i) {
    Member& member = *members_.emplace_back(std::make_unique<Member>());
    ChildCommand command = {tool_, arguments};
    command.environment = {make_visible(gpus_[i]), {kPartOf, std::to_string(::getpid())}};
    command.keeps_messages = true;
    try {
      member.process = std::make_unique<ChildProcess>(command);
      member.is_at_work = true;
    } catch (const TryAgainError& error) {
      lose(i, std::string("cannot be started: ") + error.what());
    }
  }
}

GpuTeam::~GpuTeam() {
  for (const auto& member : members_) {
    if (member->is_at_work) member->process->signal(SIGTERM);
  }
}

std::string GpuTeam::name(std::size_t process) const {
  return "GPU " + std::to_string(gpus_[process]);
}

void GpuTeam::run(const Listener& listen, const EndListener& on_end) {
  bool is_told_to_stop = false;
  for (;;) {
    std::vector<pollfd> pipes;
    std::vector<std::size_t> owners;
    for (std::size_t i = 0; i < size(); ++i) {
      if (!is_at_work(i)) continue;
      for (const LineReader* const lines :
           {&members_[i]->process->answers(), &members_[i]->process->messages()}) {
        if (!lines->is_open()) continue;
        pipes.push_back({lines->descriptor(), POLLIN, 0});
        owners.push_back(i);
      }
    }
    if (pipes.empty()) return;
    const int ready = ::poll(pipes.data(), pipes.size(), kLookForSignal_ms);
    if (stop_signal() != 0 && !is_told_to_stop) {
      is_told_to_stop = true;
      for (const auto& member : members_) {
        if (!member->is_at_work) continue;
        member->process->signal(SIGTERM);
        member->process->end_input();  // it may be waiting for a line
      }
    }
    if (ready <= 0) continue;
    for (std::size_t i = 0; i < pipes.size(); ++i) {
      if (pipes[i].revents == 0) continue;
      const std::size_t owner = owners[i];
      ChildProcess& process = *members_[owner]->process;
      if (pipes[i].fd == process.answers().descriptor()) {
        process.answers().fill();
        take_answers(owner, listen);
      } else {
        process.messages().fill();
        take_messages(owner);
      }
      if (!process.answers().is_open() && !process.messages().is_open()) end(owner, on_end);
    }
  }
}

void GpuTeam::take_answers(std::size_t process, const Listener& listen) {
  LineReader& answers = members_[process]->process->answers();
  while (const auto line = answers.next()) {
    const Json message = Json::parse(*line, nullptr, /*allow_exceptions=*/false);
    if (!message.is_object()) continue;  // cut off by what ended it
    listen(process, message);
  }
}

void GpuTeam::take_messages(std::size_t process) {
  const std::string error = tool_ + ": error: ";
  Member& member = *members_[process];
  while (const auto line = member.process->messages().next()) {
    if (line->starts_with(error)) {
      member.last_words = line->substr(error.size());
    } else if (!member.last_words.empty()) {
      member.last_words += "\n" + *line;
    } else {
      spdlog::log(is_quiet_ ? spdlog::level::err : spdlog::level::info, "{}: {}", name(process),
                  *line);
    }
  }
}

void GpuTeam::end(std::size_t process, const EndListener& on_end) {
  Member& member = *members_[process];
  member.is_at_work = false;
  const int code = member.process->wait();
  member.did_its_work = code == 0;
  if (code != 0 && stop_signal() == 0) {
    if (concerns_the_task(code) && !member.last_words.empty()) {
      throw Error(static_cast<ExitCode>(code), member.last_words);
    }
    const bool is_killed = code > 128 && member.last_words.empty();
    std::string what = is_killed ? "was killed by signal " + std::to_string(code - 128) + " (" +
                                       ::strsignal(code - 128) + ")"
                                 : "ended with exit code " + std::to_string(code);
    // It counts the only GPU that it sees as the first.
    if (!member.last_words.empty()) {
      what += ": " + replace_all(member.last_words, name_gpu(0), name_gpu(gpus_[process]));
    }
    if (code == static_cast<int>(ExitCode::kUnavailable)) {
      what += "; --gpus " + name_others(process) + " leaves it out";
    }
    lose(process, what);
  }
  on_end(process);
}

std::string GpuTeam::name_others(std::size_t process) const {
  std::vector<std::string> numbers;
  for (std::size_t i = 0; i < size(); ++i) {
    if (i != process) numbers.push_back(std::to_string(gpus_[i]));
  }
  return join(numbers, ",");
}

void GpuTeam::lose(std::size_t process, const std::string& what) {
  losses_.push_back(name(process) + ": its process " + what);
  spdlog::warn("{}; others do its work", losses_.back());
}

void GpuTeam::tell(std::size_t process, const Json& message) {
  if (is_at_work(process)) members_[process]->process->send(to_line(message));
}

void GpuTeam::dismiss(std::size_t process) {
  if (is_at_work(process)) members_[process]->process->end_input();
}

std::optional<int> GpuTeam::find_working_gpu() const {
  for (std::size_t i = 0; i < size(); ++i) {
    if (members_[i]->did_its_work) return gpus_[i];
  }
  return std::nullopt;
}

CommonOptions make_part_options(const CommonOptions& common, std::size_t processes) {
  CommonOptions shared = common;
  shared.device = kGpu;
  shared.threads = std::max(compute_threads() / static_cast<int>(processes), 1);
  shared.json = false;
  return shared;
}

void tell_team(const Json& message) {
  // In one piece: pictures are told by another thread than steps.
  const std::string line = to_line(message) + "\n";
  std::fputs(line.c_str(), stdout);
  std::fflush(stdout);
}

}  // namespace sdx
