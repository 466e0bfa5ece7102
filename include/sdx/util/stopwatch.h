#pragma once

#include <chrono>

namespace sdx {

/// Measures time from its making on.
class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

  /// Of all threads of the process together: what other programs take does not show in it.
  double cpu_seconds() const { return process_cpu_seconds() - cpu_start_; }

 private:
  static double process_cpu_seconds();

  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  double cpu_start_ = process_cpu_seconds();
};

}  // namespace sdx
