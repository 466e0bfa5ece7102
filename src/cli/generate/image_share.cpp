#include "cli/generate/image_share.h"

#include <algorithm>
#include <utility>

#include "cli/generate/request_json.h"

namespace sdx {

ImageShare::ImageShare(const std::vector<ImageRequest>& requests, const EmbeddingTable& embeddings,
                       ImageLedger& ledger, ReadyListener on_ready, StepObserver observe,
                       PreviewConsumer show)
    : task_(to_json(requests, embeddings)),
      ledger_(ledger),
      on_ready_(std::move(on_ready)),
      observe_(std::move(observe)),
      show_(std::move(show)) {}

void ImageShare::run(GpuTeam& team) {
  team.run([&](std::size_t process, const Json& message) { take(team, process, message); },
           [&](std::size_t process) {
             waiting_.erase(process);
             if (shown_ == process) shown_.reset();
             ledger_.give_back(process);
             serve_waiting(team);
           });
}

void ImageShare::take(GpuTeam& team, std::size_t process, const Json& message) {
  if (message.contains("ready")) {
    if (!is_ready_) on_ready_(message.at("precision"));
    is_ready_ = true;
  } else if (message.contains("wants")) {
    if (has_task_.insert(process).second) return team.tell(process, task_);
    waiting_.insert(process);
    serve_waiting(team);
  } else if (message.contains("batch")) {
    ledger_.on_batch(process, message.at("first"), message.at("batch"));
    serve_waiting(team);
  } else if (message.contains("done")) {
    done_[process] = message.at("done");
    int done = 0;
    for (const auto& [by, steps] : done_) done += steps;
    const int total = message.at("of");
    observe_(std::min(done, total), total);
  } else if (message.contains("preview")) {
    if (!shown_) shown_ = process;
    if (shown_ == process) show_(read_preview(message.at("preview")));
  } else if (message.contains("picture")) {
    ledger_.on_image(message.at("picture"), read_generated_image(message));
    serve_waiting(team);
  }
}

void ImageShare::serve_waiting(GpuTeam& team) {
  while (!waiting_.empty()) {
    const std::size_t process = *waiting_.begin();
    if (ledger_.is_done()) {
      team.dismiss(process);
    } else if (const auto first = ledger_.take(process)) {
      team.tell(process, {{"first", *first}});
    } else {
      return;  // until somebody has cut a batch, or is lost
    }
    waiting_.erase(process);
  }
}

std::size_t count_useful_processes(const std::vector<ImageRequest>& requests,
                                   const BatchOptions& batches) {
  constexpr std::size_t kOfGpu = 4;
  const std::size_t most = batches.size > 0 ? static_cast<std::size_t>(batches.size) : kOfGpu;
  std::size_t count = 0;
  std::size_t in_batch = 0;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const bool joins = i > 0 && in_batch < most && requests[i].settings == requests[i - 1].settings;
    in_batch = joins ? in_batch + 1 : 1;
    if (!joins) ++count;
  }
  return count;
}

}  // namespace sdx
