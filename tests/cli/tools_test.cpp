// The programs as a person uses them, on the tiny model.

#include <ATen/ops/zeros.h>

#include <algorithm>
#include <csignal>
#include <sstream>
#include <thread>

#include "sdx/embedding/embedding_reader.h"
#include "sdx/image/png.h"
#include "sdx/tensor/safetensors.h"
#include "sdx/util/file.h"
#include "sdx/util/json.h"
#include "support/mini_bundle.h"
#include "support/workplace.h"

#include "support/catch.h"

namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;
using sdx::test::RunResult;
using sdx::test::Workplace;

namespace {

std::vector<sdx::Json> json_lines(const std::string& text) {
  std::vector<sdx::Json> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(sdx::Json::parse(line));
  return lines;
}

}  // namespace

TEST_CASE("cli: sdx-train leaves an embedding, its measurements and the next command") {
  const Workplace place;
  const RunResult result = place.train("Ada", {"--vectors", "3"});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  const sdx::Embedding embedding = sdx::read_embedding(place.path() / "embeddings/Ada.safetensors");
  CHECK(embedding.name == "Ada");
  CHECK(embedding.vectors.only().sizes() == at::IntArrayRef({3, 32}));
  CHECK(embedding.metadata.at("sdx.steps") == "2");
  CHECK_THAT(result.err, ContainsSubstring("Next: sdx-generate \"<Ada> as an astronaut\""));
  const sdx::Json config = sdx::read_json_file(place.path() / "runs/Ada/config.json");
  CHECK(config["vectors"] == 3);
  CHECK(config["name"] == "Ada");
  const auto metrics = json_lines(sdx::test::read_bytes(place.path() / "runs/Ada/metrics.jsonl"));
  REQUIRE(metrics.size() == 5);
  CHECK(metrics[0].contains("fixed_loss"));
  CHECK(metrics[1].contains("obedience"));
  CHECK(metrics[3]["step"] == 2);
  CHECK(metrics[3]["gradient_norm"] > 0);
  CHECK(metrics[4]["step"] == 2);
  CHECK(metrics[4].contains("obedience"));
  CHECK(fs::file_size(place.path() / "runs/Ada/previews/000002.png") > 100);
  CHECK(fs::file_size(place.path() / "runs/Ada/report.html") > 1000);
  CHECK(fs::file_size(place.path() / "runs/Ada/portraits.png") > 100);
}

TEST_CASE("cli: --trace records what the first steps computed") {
  const Workplace place;
  const RunResult result =
      place.train("Ada", {"--trace", "trace.safetensors", "--trace-steps", "1"});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  const auto trace = sdx::map_safetensors(place.path() / "trace.safetensors").tensors;
  CHECK(trace.size() == 9);
  CHECK_FALSE(trace.contains("step.1.loss"));
  CHECK(trace.at("step.0.ids").sizes() == at::IntArrayRef({1, 77}));
  CHECK(trace.at("step.0.splices").sizes() == at::IntArrayRef({2, 3}));
  CHECK(trace.at("step.0.noisy_latents").sizes() == trace.at("step.0.noise").sizes());
  CHECK(trace.at("step.0.gradient").abs().sum().item<double>() > 0);
  const auto metrics = json_lines(sdx::test::read_bytes(place.path() / "runs/Ada/metrics.jsonl"));
  CHECK(std::abs(trace.at("step.0.loss").item<double>() - metrics[2]["loss"].get<double>()) < 1e-6);
}

TEST_CASE("cli: the same command gives the same bytes twice") {
  const Workplace place;
  REQUIRE(place.train("Ada", {"--seed", "3"}).exit_code == 0);
  REQUIRE(
      place.train("Ada", {"--seed", "3", "--embeddings", "again", "--runs", "again"}).exit_code ==
      0);
  CHECK(sdx::test::read_bytes(place.path() / "embeddings/Ada.safetensors") ==
        sdx::test::read_bytes(place.path() / "again/Ada.safetensors"));
  const std::vector<std::string> prompt = {"<Ada> smiling", "--seed", "7", "--steps", "3", "--out"};
  for (const char* folder : {"one", "two"}) {
    auto arguments = prompt;
    arguments.push_back(folder);
    REQUIRE(place.run("sdx-generate", arguments).exit_code == 0);
  }
  CHECK(sdx::test::read_bytes(place.path() / "one/0001-7-ada-smiling.png") ==
        sdx::test::read_bytes(place.path() / "two/0001-7-ada-smiling.png"));
}

TEST_CASE("cli: sdx-generate numbers its pictures and never overwrites") {
  const Workplace place;
  const auto generate = [&] {
    return place.run("sdx-generate",
                     {"a robot", "snow", "-n", "2", "--seed", "5", "--steps", "2", "--grid"});
  };
  const RunResult first = generate();
  INFO(first.err);
  REQUIRE(first.exit_code == 0);
  CHECK(first.out ==
        "pictures/0001-5-a-robot.png\npictures/0002-6-a-robot.png\npictures/0003-5-snow.png\n"
        "pictures/0004-6-snow.png\npictures/0001-grid.png\n");
  const RunResult second = generate();
  CHECK_THAT(second.out, ContainsSubstring("pictures/0005-5-a-robot.png"));
  CHECK(sdx::test::read_bytes(place.path() / "pictures/0001-5-a-robot.png") ==
        sdx::test::read_bytes(place.path() / "pictures/0005-5-a-robot.png"));
  const auto texts = sdx::read_png_texts(place.path() / "pictures/0003-5-snow.png");
  CHECK_THAT(texts.at("parameters"), ContainsSubstring("snow\nSteps: 2, Sampler: DPM++ 2M"));
  CHECK_THAT(texts.at("parameters"), ContainsSubstring("Seed: 5, Size: 64x64"));
}

TEST_CASE("cli: --save-latents and --latents") {
  const Workplace place;
  sdx::TensorMap start = {{"latents", at::zeros({1, 4, 8, 8})}};
  sdx::write_safetensors(place.path() / "zero.safetensors", start);
  const RunResult result =
      place.run("sdx-generate", {"a robot", "--latents", "zero.safetensors", "--steps", "2",
                                 "--save-latents", "final.safetensors"});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  const auto saved = sdx::map_safetensors(place.path() / "final.safetensors").tensors;
  CHECK(saved.at("latents").sizes() == at::IntArrayRef({1, 4, 8, 8}));
  CHECK(place.run("sdx-generate", {"a robot", "-n", "2", "--latents", "zero.safetensors"})
            .exit_code == 65);
}

TEST_CASE("cli: --json speaks JSON on stdout and nothing else") {
  const Workplace place;
  const RunResult trained = place.train("Ada", {"--json"});
  REQUIRE(trained.exit_code == 0);
  const auto lines = json_lines(trained.out);
  CHECK(lines.front()["file"] == "0.png");
  CHECK(lines.back()["embedding"] == "embeddings/Ada.safetensors");
  const RunResult made =
      place.run("sdx-generate", {"<Ada>", "--seed", "1", "--steps", "2", "--json"});
  CHECK(json_lines(made.out).front()["seed"] == 1);
}

TEST_CASE("cli: sdx-tokenize shows tokens, ids, chunks and splices") {
  const Workplace place;
  REQUIRE(place.train("Ada").exit_code == 0);
  const RunResult table = place.run("sdx-tokenize", {"a photo of <Ada>"});
  CHECK_THAT(table.out, ContainsSubstring("<Ada>[1]"));
  CHECK_THAT(table.out, ContainsSubstring("5 tokens in 1 chunk of 75"));
  const RunResult result = place.run("sdx-tokenize", {"a photo of <Ada>", "--json"});
  const sdx::Json json = json_lines(result.out).front();
  CHECK(json["token_count"] == 5);
  CHECK(json["chunks"][0]["ids"].size() == 77);
  CHECK(json["chunks"][0]["splices"][1] ==
        sdx::Json({{"name", "Ada"}, {"row", 1}, {"position", 5}}));
  const std::string id = json["chunks"][0]["tokens"][1]["id"].dump();
  CHECK(place.run("sdx-tokenize", {"--decode", id}).out == "photo\n");

  sdx::test::Run command = place.command("sdx-tokenize", {});
  command.input = place.path() / "lines.txt";
  sdx::write_file_atomically(command.input, "a robot\n\nsnow\n");
  const RunResult from_stdin = sdx::test::run(command);
  CHECK_THAT(from_stdin.out, ContainsSubstring("a robot\n"));
  CHECK_THAT(from_stdin.out, ContainsSubstring("snow\n"));

  const std::string model = std::string(SDX_TEST_DATA) + "/tiny/tokenizer/spiece.model";
  CHECK_THAT(place.run("sdx-tokenize", {"--tokenizer", model, "robot"}).out,
             ContainsSubstring("robot"));
}

TEST_CASE("cli: sdx-tokenize shows parts, stages and weights") {
  const Workplace place;
  const std::string prompt = "a (red:1.5) hat AND [snow:robot:5] :0.5";
  const RunResult table = place.run("sdx-tokenize", {prompt, "--steps", "10"});
  CHECK(table.exit_code == 0);
  CHECK_THAT(table.out, ContainsSubstring("part 1, weight 1, steps 1 to 10: a (red:1.5) hat\n"));
  CHECK_THAT(table.out, ContainsSubstring("  1.5  "));
  CHECK_THAT(table.out, ContainsSubstring("part 2, weight 0.5, steps 1 to 5:  snow\n"));
  CHECK_THAT(table.out, ContainsSubstring("part 2, weight 0.5, steps 6 to 10:  robot\n"));
  CHECK_THAT(place.run("sdx-tokenize", {prompt, "--grammar", "plain"}).out,
             Catch::Matchers::StartsWith(prompt + "\n"));
  CHECK_THAT(place.run("sdx-tokenize", {"snow AND [a:hat:0] :2", "--as-negative"}).out,
             Catch::Matchers::StartsWith("snow AND hat :2\n"));
  const RunResult wrong = place.run("sdx-tokenize", {prompt, "--grammar", "comfy"});
  CHECK(wrong.exit_code == 64);
}

TEST_CASE("cli: sdx-tokenize takes CLIP's tokenizer and models without a begin token") {
  const Workplace place;
  const auto read = [&place](const std::string& tokenizer, const std::string& text) {
    const RunResult result = place.run("sdx-tokenize", {"--tokenizer", tokenizer, text, "--json"});
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
    return json_lines(result.out).front();
  };
  const std::string clip = std::string(SDX_SHARE_DIR) + "/tokenizers/clip";
  const sdx::Json cat = read(clip, "a photo of a Cat");
  CHECK(cat["chunks"][0]["tokens"][4] ==
        sdx::Json({{"token", "cat</w>"}, {"id", 2368}, {"weight", 1.0}}));
  CHECK(cat["chunks"][0]["ids"][0] == 49406);
  CHECK(cat["chunks"][0]["ids"][76] == 49407);
  CHECK(place.run("sdx-tokenize", {"--tokenizer", clip, "--decode", "320", "2368"}).out ==
        "a cat\n");

  const std::string t5 = std::string(SDX_TEST_DATA) + "/tokenizer/t5.model";
  const sdx::Json robot = read(t5, "a robot");
  const sdx::Json& chunk = robot["chunks"][0];
  const auto count = robot["token_count"].get<std::size_t>();
  REQUIRE(chunk["tokens"].size() == count);
  CHECK(chunk["ids"].size() == 77);
  CHECK(chunk["tokens"][0]["id"] == chunk["ids"][0]);
  CHECK(chunk["ids"][count] == 1);
  CHECK(chunk["ids"][76] == 0);
  CHECK_THAT(place.run("sdx-tokenize", {"--tokenizer", t5, "a robot"}).out,
             ContainsSubstring("in 1 chunk of 76"));
}

TEST_CASE("cli: default < --config < command line, and --print-config shows it") {
  const Workplace place;
  sdx::write_file_atomically(place.path() / "c.json", R"({"steps": 7, "lr": 0.25})");
  const RunResult result = place.run("sdx-train", {"faces", "--name", "Ada", "--config", "c.json",
                                                   "--lr", "0.5", "--print-config"});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  const sdx::Json config = sdx::Json::parse(result.out);
  CHECK(config["steps"] == 7);
  CHECK(config["lr"] == 0.5);
  CHECK(config["batch"] == 4);
  CHECK_FALSE(fs::exists(place.path() / "embeddings"));

  sdx::write_file_atomically(place.path() / "again.json", result.out);
  const RunResult again = place.run("sdx-train", {"--config", "again.json", "--print-config"});
  INFO(again.err);
  CHECK(sdx::Json::parse(again.out) == config);
}

TEST_CASE("cli: Ctrl-C while generating keeps the pictures that are done") {
  const Workplace place;
  sdx::test::Run command = place.command(
      "sdx-generate",
      {"a robot", "-n", "8", "--seed", "1", "--steps", "400", "--batch", "4", "--out", "pictures"});
  command.meanwhile = [&](pid_t child) {
    // The first batch of four is written while the second one is denoised.
    while (sdx::test::is_running(child)) {
      if (fs::exists(place.path() / "pictures/0004-4-a-robot.png")) break;
      std::this_thread::yield();
    }
    ::kill(child, SIGINT);
  };
  const RunResult result = sdx::test::run(command);
  INFO(result.err);
  CHECK(result.exit_code == 130);
  CHECK_THAT(result.err, ContainsSubstring("stopped; 4 of 8 pictures are in pictures"));
  CHECK(sdx::test::entries_in(place.path() / "pictures") == 4);
}

TEST_CASE("cli: Ctrl-C stops cleanly and leaves a usable embedding") {
  const Workplace place;
  sdx::test::Run command =
      place.command("sdx-train", {"faces", "--name", "Ada", "--steps", "1000000", "--batch", "1"});
  const fs::path metrics = place.path() / "runs/Ada/metrics.jsonl";
  command.meanwhile = [&](pid_t child) {
    // Until the third step has been measured; a run that never gets there ends by its own error.
    while (sdx::test::is_running(child)) {
      const std::string text = fs::exists(metrics) ? sdx::test::read_bytes(metrics) : "";
      if (std::count(text.begin(), text.end(), '\n') >= 4) break;
      std::this_thread::yield();
    }
    ::kill(child, SIGINT);
  };
  const RunResult result = sdx::test::run(command);
  INFO(result.err);
  CHECK(result.exit_code == 130);
  CHECK_THAT(result.err, ContainsSubstring("stopped after "));
  CHECK_THAT(result.err, ContainsSubstring("sdx-train --resume runs/Ada resumes it"));
  CHECK(sdx::read_embedding(place.path() / "embeddings/Ada.safetensors").name == "Ada");
  CHECK(place.run("sdx-generate", {"<Ada>", "--steps", "2"}).exit_code == 0);
}

TEST_CASE("cli: Ctrl-C before the second milestone keeps what was learnt, not the start") {
  const sdx::test::TempFolder place;
  sdx::test::Run command;
  command.tool = "sdx-train";
  command.arguments = {(sdx::test::demo_folder() / "ada").string(), "--name", "Ada", "-q"};
  command.folder = place.path();
  const fs::path metrics = place.path() / "runs/Ada/metrics.jsonl";
  command.meanwhile = [&](pid_t child) {
    while (sdx::test::is_running(child)) {
      const std::string text = fs::exists(metrics) ? sdx::test::read_bytes(metrics) : "";
      if (text.find("\"step\":3,") != std::string::npos) break;
      std::this_thread::yield();
    }
    ::kill(child, SIGINT);
  };
  const RunResult result = sdx::test::run(command);
  INFO(result.err);
  CHECK(result.exit_code == 130);
  const sdx::Json summary = sdx::read_json_file(place.path() / "runs/Ada/summary.json");
  CHECK(summary["steps"] >= 3);
  CHECK(summary["best_step"] == summary["steps"]);
}

TEST_CASE("cli: no Python is needed to import, train or generate") {
  const Workplace place;
  sdx::test::Run command =
      place.command("sdx-train", {"faces", "--name", "Ada", "--steps", "1", "--batch", "1"});
  command.prepare = [] { ::setenv("PATH", "", 1); };
  CHECK(sdx::test::run(command).exit_code == 0);
  command = place.command("sdx-generate", {"<Ada>", "--steps", "1"});
  command.prepare = [] { ::setenv("PATH", "", 1); };
  CHECK(sdx::test::run(command).exit_code == 0);
  const std::string listing = (place.path() / "ldd").string();
  const std::string library = std::string(SDX_BIN_DIR) + "/../lib/sdx/libsdx-tools.so";
  REQUIRE(std::system(("ldd " + library + " > " + listing).c_str()) == 0);
  const std::string libraries = sdx::test::read_bytes(listing);
  CHECK_THAT(libraries, ContainsSubstring("libtorch_cpu"));
  CHECK_THAT(libraries, !ContainsSubstring("python"));
  CHECK_THAT(libraries, !ContainsSubstring("not found"));
}
