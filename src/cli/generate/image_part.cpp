#include "cli/generate/image_part.h"

#include <iostream>
#include <optional>
#include <string>

#include "cli/generate/request_json.h"
#include "cli/gpu_team.h"
#include "sdx/util/error.h"
#include "sdx/util/stop.h"

namespace sdx {

namespace {

/// Nothing once the other process has no more for this one.
std::optional<Json> ask() {
  tell_team({{"wants", true}});
  std::string line;
  if (!std::getline(std::cin, line)) return std::nullopt;
  return Json::parse(line);
}

class ToldBatches : public BatchSource {
 public:
  std::optional<std::size_t> next() override {
    const auto answer = ask();
    if (!answer) return std::nullopt;
    return answer->at("first").get<std::size_t>();
  }
  void on_batch(std::size_t first, std::size_t count) override {
    tell_team({{"batch", count}, {"first", first}});
  }
};

[[noreturn]] void throw_stopped(int signal) {
  throw Error(static_cast<ExitCode>(128 + signal), "stopped");
}

}  // namespace

void make_part_of_images(const Bundle& bundle, const ComputeTarget& target,
                         const BatchOptions& batches, const PreviewOptions& previews) {
  Generator generator(bundle, target);
  generator.show_previews(previews, [](const Preview& preview) {
    tell_team({{"preview", to_json(preview)}});
  });
  const auto answer = ask();
  if (!answer) return;
  const ImageTask task = read_image_task(*answer);
  generator.check(task.requests, task.embeddings);
  tell_team({{"ready", true}, {"precision", precision_name(target.dtype)}});
  ToldBatches source;
  generator.generate(
      task.requests, task.embeddings, batches, source,
      [](std::size_t index, const GeneratedImage& image) {
        Json message = to_json(image);
        message["picture"] = index;
        tell_team(message);
      },
      [](int done, int total) {
        tell_team({{"done", done}, {"of", total}});
        if (const int signal = stop_signal(); signal != 0) throw_stopped(signal);
      });
}

}  // namespace sdx
