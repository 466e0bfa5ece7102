#pragma once

#include <malloc.h>

#include <cstdio>
#include <sstream>

#include "sdx/image/png.h"
#include "sdx/model/bundle.h"
#include "support/parity.h"
#include "support/run.h"
#include "support/temp_folder.h"

#include "support/catch.h"

namespace sdx::test {

/// A folder with the single file of a model, and the programs run in it. What they cost is printed:
/// docs/parity.md quotes it.
class FullSize {
 public:
  explicit FullSize(const std::string& name) : model_(name), name_(name) {
    model_.write_single_file(checkpoint(), at::kHalf);
  }

  RunResult run(const std::string& tool, std::vector<std::string> arguments) const {
    Run command;
    command.tool = tool;
    command.arguments = std::move(arguments);
    command.folder = folder_.path();
    // A child's peak begins with what its parent holds, and free gigabytes of earlier models count.
    ::malloc_trim(0);
    RunResult result = test::run(command);
    std::printf("%s %s: %.1f s, peak memory %.2f GB\n", name_.c_str(), tool.c_str(), result.seconds,
                result.peak_bytes / 1e9);
    // What it said that it would cost, and what it did.
    std::istringstream said(result.err);
    for (std::string line; std::getline(said, line);) {
      const bool is_cost = line.starts_with("Memory:") || line.starts_with("Time:") ||
                           line.find(" steps in ") != std::string::npos;
      if (is_cost) std::printf("  %s\n", line.c_str());
    }
    std::fflush(stdout);
    INFO(result.err);
    CHECK(result.exit_code == 0);
    return result;
  }

  RunResult import() const {
    return run("sdx-model", {"import", checkpoint(), "--name", "full", "--models-dir", "models"});
  }

  /// Three pictures in the folder "faces", squares of this side.
  void write_faces(int side_px) const {
    std::filesystem::create_directory(path() / "faces");
    for (int i = 0; i < 3; ++i) {
      Image image(side_px, side_px);
      for (std::size_t p = 0; p < image.rgb.size(); ++p) {
        image.rgb[p] =
            static_cast<std::uint8_t>((p * (static_cast<std::size_t>(i) + 3)) / 4001 % 256);
      }
      write_png(path() / "faces" / (std::to_string(i) + ".png"), image);
    }
  }

  std::filesystem::path checkpoint() const { return folder_.path() / "full.safetensors"; }
  std::filesystem::path path() const { return folder_.path(); }
  Bundle bundle() const { return Bundle::open(folder_.path() / "models/full"); }
  const SyntheticModel& model() const { return model_; }

 private:
  TempFolder folder_;
  SyntheticModel model_;
  std::string name_;
};

}  // namespace sdx::test
