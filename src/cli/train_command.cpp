#include <sys/resource.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <sstream>

#include "cli/portrait_table.h"
#include "sdx/cli/options.h"
#include "sdx/cli/progress.h"
#include "sdx/cli/tool.h"
#include "sdx/image/contact_sheet.h"
#include "sdx/image/face_network.h"
#include "sdx/image/png.h"
#include "sdx/tensor/safetensors.h"
#include "sdx/training/inversion.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "sdx/util/stop.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

struct TrainOptions {
  std::string folder;
  PortraitInput input;
  InversionOptions inversion;
  std::string embeddings = "embeddings";
  std::string runs = "runs";
  bool force = false;
  std::string trace_file;
  int trace_steps = 1;
};

/// Steps between two looks at the fixed batch, which costs about two steps.
constexpr int kMeasureEvery = 25;

/// metrics.jsonl: one line a step, on the disk at once, so that a killed run leaves what it knew.
class MetricsFile {
 public:
  explicit MetricsFile(const fs::path& path) : path_(path), file_(std::fopen(path.c_str(), "w")) {
    if (file_ == nullptr) throw_errno(errno, "create", path.string());
  }
  ~MetricsFile() { std::fclose(file_); }
  MetricsFile(const MetricsFile&) = delete;
  MetricsFile& operator=(const MetricsFile&) = delete;

  void write(const Json& line) {
    const std::string text = line.dump() + "\n";
    if (std::fputs(text.c_str(), file_) < 0 || std::fflush(file_) != 0) {
      throw_errno(errno, "write", path_.string());
    }
  }

 private:
  fs::path path_;
  std::FILE* file_;
};

std::string fixed_text(double value, int digits) {
  char text[32];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

double peak_memory_gb() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) * 1024 / 1e9;
}

void write_crops(const std::vector<Portrait>& portraits, const fs::path& file) {
  std::vector<SheetCell> cells;
  for (const Portrait& portrait : portraits) {
    if (portrait.used()) cells.push_back({portrait.image, portrait.file.filename().string()});
  }
  write_png(file, contact_sheet(cells));
}

/// One tensor for each field of a trace, named "step.0.ids".
void add_trace(TensorMap& tensors, int step, const StepTrace& trace) {
  const std::string prefix = "step." + std::to_string(step) + ".";
  tensors[prefix + "ids"] = trace.ids;
  tensors[prefix + "splices"] = trace.splices;
  tensors[prefix + "vectors"] = trace.vectors;
  tensors[prefix + "latents"] = trace.latents;
  tensors[prefix + "noise"] = trace.noise;
  tensors[prefix + "noisy_latents"] = trace.noisy_latents;
  tensors[prefix + "timesteps"] = trace.timesteps;
  tensors[prefix + "loss"] = trace.loss;
  tensors[prefix + "gradient"] = trace.gradient;
}

/// Trains until the steps are done or a signal asks to stop.
void run_steps(Inversion& inversion, const TrainOptions& options, MetricsFile& metrics,
               const CommonOptions& common) {
  ProgressBar bar("Training " + placeholder(options.inversion.name), options.inversion.steps,
                  common.quiet);
  double smooth_loss = 0;
  TensorMap traced;
  while (inversion.steps_done() < options.inversion.steps && stop_signal() == 0) {
    const bool tracing =
        !options.trace_file.empty() && inversion.steps_done() < options.trace_steps;
    StepTrace trace;
    const StepResult result = inversion.step(tracing ? &trace : nullptr);
    const int done = inversion.steps_done();
    if (tracing) add_trace(traced, done - 1, trace);
    smooth_loss = done == 1 ? result.loss : 0.95 * smooth_loss + 0.05 * result.loss;
    Json line = {{"step", done},
                 {"loss", result.loss},
                 {"gradient_norm", result.gradient_norm},
                 {"learning_rate", options.inversion.learning_rate},
                 {"seconds", bar.seconds()}};
    if (done % kMeasureEvery == 0 || done == options.inversion.steps) {
      line["fixed_loss"] = inversion.fixed_batch_loss();
    }
    metrics.write(line);
    say_json(common, line);
    bar.update(done, "loss " + fixed_text(smooth_loss, 4));
  }
  if (!options.trace_file.empty()) {
    write_safetensors(options.trace_file, traced, {{"sdx.version", version_text()}});
  }
}

}  // namespace

void train_command(int argc, char** argv) {
  TrainOptions options;
  CommonOptions common;
  InversionOptions& inversion = options.inversion;
  OptionTable table(
      "sdx-train", "Teach the model a new word, <Name>, from a folder of at least three portraits.",
      "  sdx-train portraits/johannes --name Johannes\n"
      "  sdx-train portraits/johannes --name Johannes --init \"a man with glasses\" "
      "--vectors 4 --steps 600\n");
  table.add("Input", "folder", options.folder, "Folder with portraits (JPEG, PNG, WebP)")
      ->required();
  table.add("Input", "--name", inversion.name, "The new word, without brackets")->required();
  add_portrait_options(table, options.input);
  table.add("Training", "--init", inversion.init_text,
            "Text that the word starts as; default: what the model advises");
  table.add("Training", "--vectors", inversion.vectors, "Positions of the prompt the word takes")
      ->check(CLI::PositiveNumber);
  table.add("Training", "--steps", inversion.steps, "Updates")->check(CLI::PositiveNumber);
  table.add("Training", "--lr", inversion.learning_rate, "Learning rate of Adam")
      ->check(CLI::PositiveNumber);
  table.add("Training", "--batch", inversion.batch_size, "Pictures in a step")
      ->check(CLI::PositiveNumber);
  table.add("Training", "--seed", inversion.seed, "Of everything random");
  table.add("Output", "--embeddings", options.embeddings, "Folder for <Name>'s file");
  table.add("Output", "--runs", options.runs, "Folder for settings, measurements and crops");
  table.add_flag("Output", "--force", options.force, "Replace an embedding of the same name");
  table.add(
      "Output", "--trace", options.trace_file,
      "Write what the first steps computed to this file (safetensors), to replay them elsewhere");
  table.add("Output", "--trace-steps", options.trace_steps, "How many steps --trace records")
      ->check(CLI::PositiveNumber);
  add_common_options(table, common);
  table.parse(argc, argv);

  set_compute_threads(common.threads);
  const ComputeTarget target = choose_target(common.device);
  const Bundle bundle = open_model(common);
  const std::unique_ptr<Tokenizer> tokenizer = bundle.load_tokenizer();
  check_name(inversion.name, *tokenizer);
  const fs::path embedding_file = fs::path(options.embeddings) / (inversion.name + ".safetensors");
  const fs::path run_folder = fs::path(options.runs) / inversion.name;
  if (fs::exists(embedding_file) && !options.force) {
    throw CannotCreateError(embedding_file.string() + " exists already; --force replaces it");
  }
  prepare_output_folder(options.embeddings);
  prepare_output_folder(run_folder);

  const std::vector<std::string> templates = input_templates(options.input);
  const std::optional<FaceNetwork> network = FaceNetwork::installed(options.input.face_network);
  const std::vector<Portrait> portraits =
      load_input(options.folder, options.input, bundle, network ? &*network : nullptr, common);
  write_crops(portraits, run_folder / "portraits.png");
  write_file_atomically(run_folder / "config.json", table.effective().dump(2) + "\n");

  PortraitLatents latents = encode_portraits(portraits, bundle, target, options.input.latents,
                                             run_folder / "latents.safetensors");
  if (!latents.cache_problem.empty()) say(common, "Encoded again: " + latents.cache_problem);
  const TextEncoder text_encoder(bundle, target.device);
  const UNet unet(bundle, target);
  Inversion trainer({bundle, *tokenizer, text_encoder, unet}, std::move(latents.distribution),
                    templates, inversion);
  const double loss_before = trainer.fixed_batch_loss();
  MetricsFile metrics(run_folder / "metrics.jsonl");
  metrics.write({{"step", 0}, {"fixed_loss", loss_before}});
  const auto start = std::chrono::steady_clock::now();
  run_steps(trainer, options, metrics, common);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();

  Embedding embedding = trainer.embedding();
  embedding.metadata["sdx.version"] = version_text();
  write_embedding(embedding_file, embedding);
  const double loss_after = trainer.fixed_batch_loss();
  say(common, "Wrote " + embedding_file.string() + " (" + std::to_string(inversion.vectors) +
                  " vectors, " + std::to_string(fs::file_size(embedding_file)) + " bytes)");
  say(common, std::to_string(trainer.steps_done()) + " steps in " + fixed_text(seconds, 1) +
                  " s; loss on the fixed batch " + fixed_text(loss_before, 4) + " → " +
                  fixed_text(loss_after, 4) + "; peak memory " + fixed_text(peak_memory_gb(), 2) +
                  " GB");
  say_json(common, {{"embedding", embedding_file.string()},
                    {"steps", trainer.steps_done()},
                    {"seconds", seconds},
                    {"loss_before", loss_before},
                    {"loss_after", loss_after}});
  if (const int signal = stop_signal(); signal != 0) {
    throw Error(static_cast<ExitCode>(128 + signal),
                "stopped after " + std::to_string(trainer.steps_done()) + " of " +
                    std::to_string(inversion.steps) + " steps; " + embedding_file.string() +
                    " holds them and works. The same command with --force starts anew");
  }
  const std::string elsewhere =
      options.embeddings == "embeddings" ? "" : " --embeddings " + options.embeddings;
  say(common,
      "Next: sdx-generate \"" + placeholder(inversion.name) + " as an astronaut\"" + elsewhere);
}

}  // namespace sdx
