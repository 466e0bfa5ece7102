#include <cstdio>
#include <filesystem>

#include "sdx/cli/options.h"
#include "sdx/cli/tool.h"
#include "sdx/model/import/diffusers.h"
#include "sdx/util/error.h"

namespace sdx {

namespace {

struct ModelOptions {
  std::string action;
  std::string source;
  std::string name;
  std::string folder;  ///< that holds the bundles; empty: ~/.local/share/sdx/models
  bool force = false;
};

std::filesystem::path models_folder(const ModelOptions& options) {
  if (!options.folder.empty()) return options.folder;
  if (const char* chosen = std::getenv("SDX_MODELS")) return chosen;
  if (const char* home = std::getenv("HOME")) {
    return std::filesystem::path(home) / ".local/share/sdx/models";
  }
  throw UsageError("no home folder; --models-dir DIR says where models are kept");
}

}  // namespace

void model_command(int argc, char** argv) {
  ModelOptions options;
  CommonOptions common;
  OptionTable table("sdx-model",
                    "Turn a Stable Diffusion checkpoint into a model that the tools can use.",
                    "  sdx-model import ~/models/my-model/ --name my-model\n");
  table.add("Input", "action", options.action, "What to do: import")->required();
  table.add("Input", "source", options.source, "A model in diffusers' folder layout")->required();
  table.add("Output", "--name", options.name, "What the model will be called")->required();
  table.add("Output", "--models-dir", options.folder,
            "Where models are kept; default $SDX_MODELS, else ~/.local/share/sdx/models");
  table.add_flag("Output", "--force", options.force, "Replace a model of the same name");
  table.add_flag("Messages", "--json", common.json, "One JSON object a line on stdout");
  table.add_flag("Messages", "-q,--quiet", common.quiet, "Say nothing but errors");
  table.parse(argc, argv);
  if (options.action != "import") {
    throw UsageError("expected sdx-model import, found sdx-model " + options.action);
  }

  if (options.name.find('/') != std::string::npos || options.name.starts_with('.')) {
    throw UsageError("--name " + options.name + ": expected a name, found a path; --models-dir DIR says where");
  }

  const std::filesystem::path destination = models_folder(options) / options.name;
  const BundleInfo info =
      import_diffusers(options.source, destination, options.name, options.force);
  say(common, "Imported " + options.name + " (" + std::string(to_string(info.family)) + ", " +
                  std::to_string(info.native_size_px) + " px, " + info.dtype + ")");
  say_json(common, {{"model", options.name}, {"folder", destination.string()}});
  if (!common.json) std::puts(destination.c_str());
}

}  // namespace sdx
