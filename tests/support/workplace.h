#pragma once

#include <string>

#include "sdx/image/png.h"
#include "support/run.h"
#include "support/temp_folder.h"

namespace sdx::test {

/// A folder with the tiny model (imported by sdx-model itself, once) and a folder of three
/// portraits, to run the programs in.
class Workplace {
 public:
  Workplace() {
    std::filesystem::create_directory(path() / "faces");
    for (int i = 0; i < 3; ++i) {
      sdx::Image image(96, 96);
      for (std::size_t p = 0; p < image.rgb.size(); ++p) {
        image.rgb[p] =
            static_cast<std::uint8_t>((p * (static_cast<std::size_t>(i) + 3)) / 41 % 256);
      }
      sdx::write_png(path() / "faces" / (std::to_string(i) + ".png"), image);
    }
  }

  const std::filesystem::path& path() const { return folder_.path(); }

  RunResult run(const std::string& tool, std::vector<std::string> arguments) const {
    return test::run(command(tool, std::move(arguments)));
  }

  Run command(const std::string& tool, std::vector<std::string> arguments) const {
    if (tool != "sdx-model") {
      arguments.push_back("--model");
      arguments.push_back(model());
    }
    Run command;
    command.tool = tool;
    command.arguments = std::move(arguments);
    command.folder = path();
    return command;
  }

  RunResult train(const std::string& name, std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments = {"faces", "--name", name, "--steps", "2", "--batch", "1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run("sdx-train", arguments);
  }

  /// The tiny model's folder.
  static std::string model() {
    static const TempFolder models;
    static const RunResult imported = [] {
      Run command;
      command.tool = "sdx-model";
      command.arguments = {"import",       std::string(SDX_TEST_DATA) + "/tiny",
                           "--name",       "tiny",
                           "--models-dir", models.path()};
      return test::run(command);
    }();
    if (imported.exit_code != 0) throw std::runtime_error("sdx-model: " + imported.err);
    return models.path() / "tiny";
  }

 private:
  TempFolder folder_;
};

}  // namespace sdx::test
