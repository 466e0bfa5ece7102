#pragma once

#include <sys/types.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "support/run.h"

namespace sdx::test {

/// A command on a machine with GPUs that the processor plays.
/// @param gpus what each says when it is tried out, "fine,out of order"; see sdx/device/device.h
inline Run with_gpus(Run command, const std::string& gpus) {
  command.prepare = [gpus] { ::setenv("SDX_PLAYED_GPUS", gpus.c_str(), 1); };
  return command;
}

/// Whether a process is there, and no mere entry of one that has ended.
inline bool is_alive(pid_t process) {
  std::ifstream stat("/proc/" + std::to_string(process) + "/stat");
  std::string text;
  if (!std::getline(stat, text)) return false;
  const char state = text.at(text.rfind(')') + 2);
  return state != 'Z' && state != 'X';
}

/// The processes that a process has started, the first one first.
inline std::vector<pid_t> list_children(pid_t parent) {
  std::vector<pid_t> children;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const pid_t process = std::atoi(entry.path().filename().c_str());
    std::ifstream stat(entry.path() / "stat");
    std::string text;
    if (process == 0 || !std::getline(stat, text)) continue;
    const std::size_t behind_name = text.rfind(')') + 4;
    if (std::atoi(text.c_str() + behind_name) == parent) children.push_back(process);
  }
  std::sort(children.begin(), children.end());
  return children;
}

/// Waits until a running command has so many of them.
inline std::vector<pid_t> wait_for_children(pid_t command, std::size_t count) {
  std::vector<pid_t> children;
  while (is_running(command) && children.size() < count) {
    children = list_children(command);
    std::this_thread::yield();
  }
  return children;
}

}  // namespace sdx::test
