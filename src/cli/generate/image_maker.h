#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cli/generate/generate_options.h"
#include "cli/generate/image_ledger.h"
#include "cli/generate/image_writer.h"
#include "cli/generate/preview_display.h"
#include "cli/generate/source_image.h"
#include "cli/gpu_options.h"
#include "sdx/cli/common_options.h"
#include "sdx/cli/progress.h"

namespace sdx {

/// What is to be made, and what is known of it before a device is chosen.
struct ImagePlan {
  const GenerateOptions& options;
  const Bundle& bundle;
  const EmbeddingTable& embeddings;
  const std::vector<ImageJob>& jobs;
  const std::optional<SourceImage>& source;
  std::vector<ImageRequest> requests = {};  ///< of the jobs
};

/// Makes a plan's pictures, here or on several GPUs, and gives them to the writer.
class ImageMaker {
 public:
  /// All three outlive this.
  ImageMaker(const ImagePlan& plan, const CommonOptions& common, ImageWriter& writer);

  /// In this process.
  void make_here(const ComputeTarget& target);

  /// In a process for each GPU.
  /// @return what is to be said at the end of the processes that were lost
  std::vector<std::string> make_on(const std::vector<int>& gpus);

 private:
  void make_rest(ImageLedger& ledger, std::optional<int> working_gpu);
  std::vector<std::string> list_part_arguments(std::size_t processes) const;
  ImageConsumer consumer();
  StepObserver observer();
  PreviewConsumer display();
  void show(int done, int total);
  std::string count_text() const;
  void stoppable(const std::function<void()>& work);
  void check_latents_file() const;
  void write_latents() const;

  const ImagePlan& plan_;
  const CommonOptions& common_;
  ImageWriter& writer_;
  std::vector<at::Tensor> final_latents_;
  std::optional<ProgressBar> bar_;
  std::optional<PreviewDisplay> display_;  ///< once there is a preview
};

/// How many processes can make a plan's pictures at once.
/// @throws UsageError if `gpus` names several for what only one process can make.
std::size_t count_processes(const ImagePlan& plan, const GpuOptions& gpus, std::size_t present);

}  // namespace sdx
