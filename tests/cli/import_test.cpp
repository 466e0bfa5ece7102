// sdx-model import with what people have: checkpoints as trainers left them, files of other kinds,
// pipelines with learnt words, folders of other users.

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/zeros.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "sdx/embedding/embedding_reader.h"
#include "sdx/tensor/safetensors.h"
#include "sdx/util/file.h"
#include "sdx/util/json.h"
#include "support/refused.h"
#include "support/run.h"
#include "support/synthetic.h"
#include "support/torch_checkpoint.h"

#include "support/catch.h"

namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;
using namespace sdx::test;

namespace {

/// All tensors of a tiny Stable Diffusion 1.
const sdx::TensorMap& base_tensors() {
  static const sdx::TensorMap tensors = SyntheticModel("sd1-tiny").original_weights(at::kFloat);
  return tensors;
}

/// A folder to import in, with a folder of models of its own.
class Place {
 public:
  const fs::path& path() const { return folder_.path(); }
  fs::path models() const { return path() / "models"; }
  fs::path file(const std::string& name, const std::string& bytes) const {
    return folder_.file(name, bytes);
  }

  void write(const std::string& name, const sdx::TensorMap& tensors) const {
    sdx::write_safetensors(path() / name, tensors);
  }

  Run command(const std::string& tool, const std::vector<std::string>& arguments) const {
    Run run;
    run.tool = tool;
    run.arguments = arguments;
    run.folder = path();
    run.prepare = [models = models()] {
      ::setenv("SDX_MODELS", models.c_str(), 1);
      ::umask(022);
    };
    return run;
  }

  RunResult run(const std::string& tool, const std::vector<std::string>& arguments) const {
    return test_run(command(tool, arguments));
  }

  RunResult import(const std::string& source, const std::string& name,
                   const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments = {"import", source, "--name=" + name};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run("sdx-model", arguments);
  }

  /// The hashes of an imported model's files.
  sdx::Json hashes(const std::string& name) const {
    return sdx::read_json_file(models() / name / "bundle.json")["sha256"];
  }

  static RunResult test_run(const Run& what) { return sdx::test::run(what); }

 private:
  TempFolder folder_;
};

/// Refused with this exit code and these words in one line.
/// In a child: takes the right of root to read and write everything. Others never had it.
void lose_override() {
  constexpr unsigned long kOverride = 1;
  constexpr unsigned long kReadAll = 2;
  ::prctl(PR_CAPBSET_DROP, kOverride, 0, 0, 0);
  ::prctl(PR_CAPBSET_DROP, kReadAll, 0, 0, 0);
}

int mode(const fs::path& path) {
  struct stat status = {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return static_cast<int>(status.st_mode & 07777);
}

}  // namespace

TEST_CASE("cli: checkpoints as trainers and other programs leave them are imported") {
  const Place place;
  place.write("plain.safetensors", base_tensors());
  REQUIRE(place.import("plain.safetensors", "plain").exit_code == 0);
  const sdx::Json expected = place.hashes("plain");

  const auto with = [&](const std::map<std::string, at::Tensor>& more) {
    sdx::TensorMap tensors = base_tensors();
    tensors.insert(more.begin(), more.end());
    return tensors;
  };
  const at::Tensor one = at::zeros({1});
  place.write("manager.safetensors",
              with({{"embedding_manager.embedder.transformer.x.weight", one},
                    {"embedding_manager.string_to_param_dict.*", at::zeros({1, 64})}}));
  place.write("comfy.safetensors",
              with({{"cond_stage_model.logit_scale", one},
                    {"cond_stage_model.transformer.text_projection.weight", at::zeros({64, 64})}}));
  place.write("lora.safetensors", with({{"lora_unet_mid.lora_down.weight", one}}));
  sdx::TensorMap averaged;
  sdx::TensorMap wrapped;
  for (const auto& [name, tensor] : base_tensors()) {
    wrapped["module." + name] = tensor;
    std::string flat = name;
    if (name.starts_with("model.diffusion_model.")) {
      flat = name.substr(6);
      std::erase(flat, '.');
      flat = "model_ema." + flat;
    }
    averaged[flat] = tensor;
  }
  place.write("averaged.safetensors", averaged);
  place.write("wrapped.safetensors", wrapped);
  fs::copy(place.path() / "plain.safetensors", place.path() / "really_safetensors.ckpt");
  place.file("UPPER.CKPT", torch_checkpoint(base_tensors(), [](const std::string& entries) {
               return state_under(
                   "state_dict", entries,
                   text("seeds") + numpy_array() + text("metrics") +
                       call(global("collections", "defaultdict"), {global("builtins", "list")}));
             }));
  fs::copy(place.path() / "UPPER.CKPT", place.path() / "really_torch.safetensors");
  place.file("under_model.ckpt", torch_checkpoint(base_tensors(), [](const std::string& entries) {
               return state_under("model", entries);
             }));

  struct Case {
    const char* file;
    const char* words;
  };
  for (const Case& each :
       std::vector<Case>{{"manager.safetensors", "4 tensors are not used"},
                         {"comfy.safetensors", "4 tensors are not used"},
                         {"lora.safetensors", "A LoRA was left in the file"},
                         {"averaged.safetensors", "averaged (EMA) weights of the UNet only"},
                         {"wrapped.safetensors", "Imported x"},
                         {"really_safetensors.ckpt", "Imported x"},
                         {"UPPER.CKPT", "Imported x"},
                         {"really_torch.safetensors", "Imported x"},
                         {"under_model.ckpt", "Imported x"}}) {
    INFO(each.file);
    const RunResult result = place.import(each.file, "x", {"--force"});
    INFO("stderr: " << result.err);
    CHECK(result.exit_code == 0);
    CHECK_THAT(result.err, ContainsSubstring(each.words));
    CHECK(place.hashes("x") == expected);
  }
}

TEST_CASE("cli: files that are no checkpoints are called what they are") {
  const Place place;
  const auto refused = [&](const std::string& name, const std::string& bytes,
                           const std::vector<std::string>& words) {
    place.file(name, bytes);
    check_refused(place.import(name, "x"), 65, words);
    CHECK_FALSE(fs::exists(place.models()));
  };
  refused("lfs.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 4\n",
          {"lfs.safetensors: this is a Git LFS pointer", "git lfs pull"});
  refused("page.ckpt", "<!doctype html>\n<title>Sign in</title>", {"page.ckpt", "a web page"});
  refused("error.safetensors", R"({"error":"Repository not found"})",
          {"JSON", "Repository not found"});
  refused("text.safetensors", "Invalid username or password.", {"Invalid username or password."});
  const std::string float8 = R"({"a":{"dtype":"F8_E4M3","shape":[8],"data_offsets":[0,8]}})";
  refused("fp8.safetensors", raw(std::uint64_t{float8.size()}) + float8 + std::string(8, '\0'),
          {"fp8.safetensors: tensor \"a\" is of the type F8_E4M3 (float8)"});
  refused("other.ckpt",
          torch_checkpoint({{"net.x", at::zeros({1})}},
                           [](const std::string& entries) { return state_under("net", entries); }),
          {"other.ckpt", "\"model.diffusion_model.*\" among 1", "\"net.x\""});
  refused("class.ckpt", torch_zip(pickle(call(global("os", "system"), {text("id")})), ""),
          {"class.ckpt", "\"os.system\"", "Nothing was run"});
}

TEST_CASE("cli: a pipeline saved after textual inversion gives its words as embeddings") {
  const Place place;
  const fs::path folder = place.path() / "pipeline";
  const SyntheticModel model("sd1-tiny");
  model.write_folder(folder, at::kFloat);
  REQUIRE(place.import("pipeline", "plain").exit_code == 0);
  const fs::path weights = folder / "text_encoder/model.safetensors";
  sdx::TensorMap tensors = model.weights("text_encoder", at::kFloat);
  const at::Tensor rows = at::arange(128, at::kFloat).reshape({2, 64}) / 64;
  for (auto& [name, tensor] : tensors) {
    if (name.ends_with("token_embedding.weight")) tensor = at::cat({tensor, rows});
  }
  sdx::write_safetensors(weights, tensors);
  sdx::write_file_atomically(folder / "tokenizer/added_tokens.json",
                             R"({"<cat-toy>": 49408, "<cat-toy>_1": 49409})");

  const RunResult imported = place.import("pipeline", "toy", {"--json"});
  INFO("stderr: " << imported.err);
  REQUIRE(imported.exit_code == 0);
  CHECK_THAT(imported.err, ContainsSubstring("Wrote embeddings/cat-toy.safetensors: <cat-toy>"));
  CHECK(sdx::Json::parse(imported.out)["embeddings"] ==
        sdx::Json::array({"embeddings/cat-toy.safetensors"}));
  CHECK(place.hashes("toy") == place.hashes("plain"));
  const fs::path file = place.path() / "embeddings/cat-toy.safetensors";
  const sdx::Embedding word = sdx::read_embedding(file);
  CHECK(word.name == "cat-toy");
  CHECK(at::equal(word.vectors, rows));
  CHECK(word.metadata.at("sdx.model") == "toy");
  CHECK(entries_in(place.path() / "embeddings") == 1);
  const RunResult image = place.run("sdx-generate", {"<cat-toy>", "--model", "toy", "--steps", "1",
                                                     "--size", "64x64", "--seed", "1"});
  INFO("stderr: " << image.err);
  CHECK(image.exit_code == 0);

  // Never over a file.
  sdx::write_file_atomically(file, "mine");
  const RunResult again = place.import("pipeline", "toy", {"--force"});
  CHECK(again.exit_code == 0);
  CHECK_THAT(again.err, ContainsSubstring("embeddings/cat-toy.safetensors is there already") &&
                            ContainsSubstring("was not written"));
  CHECK(read_bytes(file) == "mine");
  CHECK(entries_in(place.path() / "embeddings") == 1);

  // In the words of newer files, and without the rows.
  model.write_folder(place.path() / "newer", at::kFloat);
  sdx::write_file_atomically(
      place.path() / "newer/tokenizer/tokenizer_config.json",
      R"({"added_tokens_decoder": {"49408": {"content": "<dog>", "special": false}}})");
  const RunResult newer = place.import("newer", "newer");
  INFO("stderr: " << newer.err);
  CHECK(newer.exit_code == 0);
  CHECK_THAT(newer.err,
             ContainsSubstring("\"<dog>\" (id 49408)") && ContainsSubstring("was left out"));
}

TEST_CASE("cli: the name of a model is a name") {
  const Place place;
  place.write("plain.safetensors", base_tensors());
  fs::create_directories(place.models() / "keep");
  sdx::write_file_atomically(place.models() / "keep/file", "mine");
  for (const char* name : {"", ".", "..", "../up", "a/b", "/tmp/x", ".hidden", "a\nb", "\xff"}) {
    INFO(name);
    check_refused(place.import("plain.safetensors", name, {"--force"}), 64, {"--name"});
  }
  check_refused(place.import("plain.safetensors", std::string(300, 'x')), 64, {"--name", "200"});
  CHECK(entries_in(place.models()) == 1);
  CHECK(entries_in(place.path()) == 2);
  CHECK(place.import("plain.safetensors", "1.10").exit_code == 0);
  CHECK(place.run("sdx-model", {"show", "1.10"}).exit_code == 0);
}

TEST_CASE("cli: --force replaces a model and nothing else") {
  const Place place;
  place.write("plain.safetensors", base_tensors());
  const fs::path mine = place.models() / "mine";
  fs::create_directories(mine);
  sdx::write_file_atomically(mine / "thesis.txt", "years");
  check_refused(place.import("plain.safetensors", "mine", {"--force"}), 73,
                {"mine: is no model: it has no bundle.json", "--name"});
  check_refused(place.import("plain.safetensors", "mine"), 73, {"exists already", "--force"});
  CHECK(read_bytes(mine / "thesis.txt") == "years");

  fs::create_directories(place.models() / "empty");
  CHECK(place.import("plain.safetensors", "empty", {"--force"}).exit_code == 0);
  CHECK(fs::exists(place.models() / "empty/bundle.json"));

  REQUIRE(place.import("plain.safetensors", "m").exit_code == 0);
  sdx::write_file_atomically(place.models() / "m/notes.txt", "mine");
  check_refused(place.import("plain.safetensors", "m", {"--force"}), 73,
                {"holds notes.txt, which is no part of a model"});
  CHECK(read_bytes(place.models() / "m/notes.txt") == "mine");
  fs::remove(place.models() / "m/notes.txt");
  CHECK(place.import("plain.safetensors", "m", {"--force", "--dtype", "fp16"}).exit_code == 0);
  CHECK(sdx::read_json_file(place.models() / "m/bundle.json")["dtype"] == "fp16");

  fs::create_directory_symlink(mine, place.models() / "link");
  check_refused(place.import("plain.safetensors", "link", {"--force"}), 73, {"a symbolic link"});
  CHECK(read_bytes(mine / "thesis.txt") == "years");
  // Models may be called as what is being made is.
  REQUIRE(place.import("plain.safetensors", "m.partial").exit_code == 0);
  REQUIRE(place.import("plain.safetensors", "m", {"--force"}).exit_code == 0);
  CHECK(place.hashes("m.partial") == place.hashes("m"));
  CHECK(entries_in(place.models()) == 5);
}

TEST_CASE("cli: the second of two imports of one name ends, and is to be tried again") {
  const Place place;
  place.write("plain.safetensors", base_tensors());
  const fs::path staging = place.models() / ".m.partial";
  fs::create_directories(staging);
  sdx::write_file_atomically(staging / "half", "of another process");
  const int lock = ::open(staging.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  REQUIRE(::flock(lock, LOCK_EX | LOCK_NB) == 0);
  check_refused(place.import("plain.safetensors", "m"), 75, {"m: another process makes this"});
  CHECK(fs::exists(staging / "half"));
  CHECK(place.import("plain.safetensors", "other").exit_code == 0);
  ::close(lock);  // it was killed
  CHECK(place.import("plain.safetensors", "m").exit_code == 0);
  CHECK_FALSE(fs::exists(staging));
  CHECK(place.hashes("m") == place.hashes("other"));
}

TEST_CASE("cli: other users can read a model, and what may not be read is said with its path") {
  const Place place;
  place.write("plain.safetensors", base_tensors());
  REQUIRE(place.import("plain.safetensors", "m").exit_code == 0);
  for (const auto& entry : fs::recursive_directory_iterator(place.models())) {
    INFO(entry.path());
    CHECK(mode(entry.path()) == (entry.is_directory() ? 0755 : 0644));
  }
  CHECK(mode(place.models()) == 0755);

  const auto run = [&](const std::vector<std::string>& arguments) {
    Run command = place.command("sdx-model", arguments);
    const auto environment = command.prepare;
    command.prepare = [environment] {
      environment();
      lose_override();
    };
    return Place::test_run(command);
  };
  const fs::path model = place.models() / "m";
  fs::permissions(model, fs::perms::none);
  check_refused(run({"show", "m"}), 77, {"--model m: " + model.string(), "permission denied"});
  check_refused(run({"show", model}), 77, {model.string()});
  const RunResult listed = run({"list"});
  CHECK(listed.exit_code == 0);
  CHECK_THAT(listed.err, ContainsSubstring("m: ") && ContainsSubstring(model.string()) &&
                             ContainsSubstring("Permission denied"));
  fs::permissions(model, fs::perms(0755));
  fs::permissions(model / "bundle.json", fs::perms::none);
  check_refused(run({"show", "m"}), 77, {(model / "bundle.json").string()});
  CHECK_THAT(run({"list"}).err, ContainsSubstring((model / "bundle.json").string()));
  fs::permissions(model / "bundle.json", fs::perms(0644));
  fs::permissions(model / "unet.safetensors", fs::perms::none);
  check_refused(run({"verify", "m"}), 77, {(model / "unet.safetensors").string()});
  fs::permissions(model / "unet.safetensors", fs::perms(0644));
  fs::permissions(place.models(), fs::perms::none);
  check_refused(run({"show", "m"}), 77, {model.string()});
  CHECK_THAT(run({"list"}).err, ContainsSubstring(place.models().string()));
  fs::permissions(place.models(), fs::perms(0755));
}
