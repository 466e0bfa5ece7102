#pragma once

#include <ATen/Parallel.h>

#include <functional>
#include <future>
#include <utility>

namespace sdx {

/// Does one thing at a time beside the caller, if there is more than one thread.
class Background {
 public:
  void run(std::function<void()> work) {
    wait();
    if (at::get_num_threads() == 1) {
      work();
    } else {
      pending_ = std::async(std::launch::async, std::move(work));
    }
  }

  /// @throws what the work threw.
  void wait() {
    if (pending_.valid()) pending_.get();
  }

 private:
  std::future<void> pending_;
};

}  // namespace sdx
