#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cli/generate/image_ledger.h"
#include "cli/gpu_team.h"
#include "sdx/embedding/embedding_table.h"
#include "sdx/generation/generator.h"
#include "sdx/util/json.h"

namespace sdx {

/// Has processes on several GPUs make pictures, batch by batch: who is done with one gets the next.
/// See make_part_of_images().
class ImageShare {
 public:
  /// What a first process says when it begins: in which type it computes.
  using ReadyListener = std::function<void(const std::string& precision)>;

  /// @param ledger  of the requests; afterwards it says what is left. It outlives this.
  /// @param observe is told of the steps of all processes
  /// @param show    is given the previews of one of them, as long as that is at work
  ImageShare(const std::vector<ImageRequest>& requests, const EmbeddingTable& embeddings,
             ImageLedger& ledger, ReadyListener on_ready, StepObserver observe,
             PreviewConsumer show);

  /// Returns when all processes have ended: with all made, or some left by those that were lost, or
  /// stopped by a signal.
  /// @throws as GpuTeam::run(); what the ledger's consumer throws.
  void run(GpuTeam& team);

 private:
  void take(GpuTeam& team, std::size_t process, const Json& message);
  void serve_waiting(GpuTeam& team);

  Json task_;
  ImageLedger& ledger_;
  ReadyListener on_ready_;
  StepObserver observe_;
  PreviewConsumer show_;
  std::set<std::size_t> has_task_;
  std::set<std::size_t> waiting_;    ///< for a batch
  std::map<std::size_t, int> done_;  ///< steps of each process
  bool is_ready_ = false;
  std::optional<std::size_t> shown_;  ///< the process whose previews are
};

/// How many processes can draw at once: as many as there are batches, by what a GPU takes.
std::size_t count_useful_processes(const std::vector<ImageRequest>& requests,
                                   const BatchOptions& batches);

}  // namespace sdx
