// What a person gets who types something wrong or has something broken: the real programs, their
// exit codes (docs/user-guide.md lists them) and the words that help.

#include <sys/mount.h>

#include <cstdlib>

#include "sdx/util/file.h"
#include "support/image_files.h"
#include "support/refused.h"
#include "support/workplace.h"

#include "support/catch.h"

namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;
using sdx::test::check_refused;
using sdx::test::RunResult;
using sdx::test::Workplace;

namespace {

/// Exit code, and a single error line with all of `words` in it.
bool has_embedding(const Workplace& place) {
  return fs::exists(place.path() / "embeddings/Ada.safetensors");
}

}  // namespace

TEST_CASE("cli: no folder, an empty one, two pictures") {
  const Workplace place;
  check_refused(place.run("sdx-train", {"absent", "--name", "Ada"}), 66,
                {"absent", "no such folder"});
  fs::create_directory(place.path() / "empty");
  check_refused(place.run("sdx-train", {"empty", "--name", "Ada"}), 66,
                {"empty", "at least 3", "found 0"});
  fs::remove(place.path() / "faces/0.png");
  check_refused(place.train("Ada"), 66, {"at least 3 usable portraits, found 2"});
  check_refused(place.run("sdx-train", {"--name", "Ada"}), 64, {"folder", "--help"});
  CHECK_FALSE(has_embedding(place));
}

TEST_CASE("cli: portraits in a folder inside are pointed to") {
  const Workplace place;
  fs::create_directory(place.path() / "lora");
  fs::rename(place.path() / "faces", place.path() / "lora/10_ada");
  check_refused(place.run("sdx-train", {"lora", "--name", "Ada"}), 66,
                {"found 0 in a folder of 0 files. There are 3 pictures in lora/10_ada: name that"});
}

TEST_CASE("cli: what is no picture is not spoken of as one, and does not flood the screen") {
  const Workplace place;
  for (int i = 0; i < 300; ++i) {
    sdx::write_file_atomically(place.path() / "faces" / ("x" + std::to_string(i) + ".jpg"), "text");
  }
  fs::remove(place.path() / "faces/0.png");
  const RunResult many = place.train("Ada");
  check_refused(many, 66, {"found 2", "x0.jpg: ", "; and 292 more"});
  CHECK(many.err.substr(many.err.find("error:")).size() < 3000);

  const Workplace strict;
  for (const char* file : {"Thumbs.db", "0.txt", "metadata.json", "notes"}) {
    sdx::write_file_atomically(strict.path() / "faces" / file, "a caption");
  }
  const RunResult result = strict.train("Ada", {"--strict"});
  INFO(result.err);
  CHECK(result.exit_code == 0);
  CHECK_THAT(result.err, ContainsSubstring("no picture") && !ContainsSubstring("save it as"));
}

TEST_CASE("cli: a learning rate that is hardly meant is remarked on") {
  const Workplace place;
  const RunResult high = place.train("Ada", {"--lr", "100"});
  CHECK(high.exit_code == 0);
  CHECK_THAT(high.err, ContainsSubstring("Note: --lr 100 is far above the usual"));
  CHECK_THAT(place.train("Ben", {"--lr", "0.01"}).err, !ContainsSubstring("Note: --lr"));
}

TEST_CASE("cli: a folder that may not be read is a matter of permission") {
  const Workplace place;
  if (::geteuid() == 0) SDX_SKIP("root may read everything");
  fs::permissions(place.path() / "faces", fs::perms::none);
  check_refused(place.train("Ada"), 77, {"faces", "Permission denied"});
  fs::permissions(place.path() / "faces", fs::perms::owner_all);
}

TEST_CASE("cli: control characters of a file's name do not reach the terminal") {
  const Workplace place;
  sdx::write_file_atomically(place.path() / "faces/\x1b[2Jevil.jpg", "text");
  const RunResult result = place.train("Ada");
  CHECK(result.exit_code == 0);
  CHECK(result.err.find("\x1b[2J") == std::string::npos);
  CHECK_THAT(result.err, ContainsSubstring("\\x1b[2Jevil.jpg"));
}

TEST_CASE("cli: pictures that are none are skipped by name and reason") {
  const Workplace place;
  const auto jpeg = sdx::test::jpeg_bytes(sdx::test::busy_image(96, 96));
  const auto write = [&](const char* name, const std::string& bytes) {
    sdx::write_file_atomically(place.path() / "faces" / name, bytes);
  };
  write("text.jpg", "These are words.\n");
  write("truncated.jpg", jpeg.substr(0, jpeg.size() / 2));
  sdx::write_png(place.path() / "faces/pixel.png", sdx::Image(1, 1));
  const RunResult result = place.train("Ada");
  CHECK(result.exit_code == 0);
  CHECK_THAT(result.err, ContainsSubstring("text.jpg"));
  CHECK_THAT(result.err, ContainsSubstring("truncated.jpg"));
  CHECK_THAT(result.err, ContainsSubstring("truncated"));
  CHECK_THAT(result.err, ContainsSubstring("skipped: too small: its shorter side has 1 px"));

  fs::remove(place.path() / "faces/0.png");
  check_refused(place.train("Eve"), 66,
                {"found 2", "text.jpg: ", "truncated.jpg: ", "pixel.png: too small"});
}

TEST_CASE("cli: a preview without {name} is named by its file and line") {
  const Workplace place;
  const fs::path share = SDX_SHARE_DIR;
  const fs::path data = place.path() / "data";
  fs::create_directory(data);
  for (const auto& entry : fs::directory_iterator(share)) {
    const fs::path name = entry.path().filename();
    if (name != "templates") fs::create_directory_symlink(entry.path(), data / name);
  }
  fs::copy(share / "templates", data / "templates");
  fs::remove(data / "templates/previews.txt");
  sdx::write_file_atomically(data / "templates/previews.txt", "a photo of {name}\n\na robot\n");
  ::setenv("SDX_DATA", data.c_str(), 1);
  const RunResult result = place.train("Ada");
  ::unsetenv("SDX_DATA");
  check_refused(result, 65, {"previews.txt:3: \"a robot\" has no {name}; write {name}"});
  CHECK_FALSE(has_embedding(place));
}

TEST_CASE("cli: an unknown <Name> is answered with the nearest ones") {
  const Workplace place;
  REQUIRE(place.train("Johannes").exit_code == 0);
  check_refused(place.run("sdx-generate", {"<Johanes> smiling"}), 64,
                {"<Johanes> is not known", "<Johannes>", "sdx-train", "--embeddings"});
  check_refused(place.run("sdx-tokenize", {"<Jo>"}), 64, {"<Jo> is not known", "<Johannes>"});
  CHECK_FALSE(fs::exists(place.path() / "pictures"));
}

TEST_CASE("cli: names that cannot be placeholders") {
  const Workplace place;
  check_refused(place.train("Ada Lovelace"), 64, {"--name \"Ada Lovelace\"", "one word"});
  check_refused(place.train("robot"), 64, {"--name robot", "knows already", "robot1"});
  CHECK_FALSE(fs::exists(place.path() / "embeddings"));
}

TEST_CASE("cli: options that do not exist or cannot be") {
  const Workplace place;
  check_refused(place.train("Ada", {"--step", "3"}), 64,
                {"unknown option --step", "--steps", "sdx-train --help"});
  check_refused(place.run("sdx-generate", {"a robot", "--image", "a.png"}), 64,
                {"unknown option --image; the nearest are --", "--init-image", "--help"});
  // Three names that are like it only because each is short would mislead.
  check_refused(place.run("sdx-roster", {"run", "team.csv", "--persons", "Ada"}), 64,
                {"unknown option --persons; all are shown by sdx-roster run --help"});
  check_refused(place.train("Ada", {"--lr", "fast"}), 64, {"--lr", "fast"});
  check_refused(place.train("Ada", {"--vectors", "0"}), 64, {"--vectors"});
  check_refused(place.train("Ada", {"--device", "tpu"}), 64, {"--device", "tpu"});
  check_refused(place.train("Ada", {"--dtype", "fp8"}), 64, {"--dtype", "fp32, bf16", "fp8"});
  check_refused(place.train("Ada", {"--device", "cpu", "--dtype", "fp16"}), 69, {"--dtype fp32"});
  check_refused(place.run("sdx-generate", {"a robot", "--size", "130x128"}), 64,
                {"130x128", "divisible by 8", "128x128"});
  check_refused(place.run("sdx-generate", {"a robot", "--size", "large"}), 64,
                {"--size", "512x512"});
  check_refused(place.run("sdx-generate", {"a robot", "--sampler", "eular"}), 64,
                {"--sampler: expected dpmpp_2m, euler_a", "eular"});
  check_refused(place.run("sdx-generate", {"a robot", "--seed", "-2"}), 64, {"--seed"});
  check_refused(place.run("sdx-generate", {"a robot", "--cfg", "high"}), 64, {"--cfg", "high"});
  check_refused(place.run("sdx-generate", {"a robot", "--steps", "5000"}), 64,
                {"--steps", "1 to 1000"});
  check_refused(place.run("sdx-generate", {}), 64, {"expected a prompt"});
  const std::string endless = '`' + std::string(100'000, 'a') + '`';
  check_refused(place.run("sdx-generate", {"a robot", "--cfg", endless}), 64, {"--cfg", "aaa…"});
  check_refused(place.run("sdx-generate", {"a robot", "--" + endless}), 64, {"unknown option"});
  check_refused(place.run("sdx-generate", {"{name}"}), 64, {"{name}", "--names"});
}

TEST_CASE("cli: a model that is not there or is damaged") {
  const Workplace place;
  sdx::test::Run command = place.command("sdx-generate", {"a robot"});
  command.arguments.back() = "sd15";
  check_refused(sdx::test::run(command), 66, {"--model sd15", "known are", "sdx-model import"});

  const fs::path good = place.command("sdx-generate", {}).arguments.back();
  for (const char* file : {"unet.ts", "unet.safetensors", "vae.safetensors", "text_encoder.ts",
                           "tokenizer/spiece.model"}) {
    INFO(file);
    const fs::path damaged = place.path() / "damaged";
    fs::remove_all(damaged);
    fs::copy(good, damaged, fs::copy_options::recursive);
    std::string bytes = sdx::test::read_bytes(damaged / file);
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
    sdx::write_file_atomically(damaged / file, bytes);
    command.arguments.back() = damaged;
    check_refused(sdx::test::run(command), 65,
                  {file, "expected SHA-256 ", "import the model again"});
  }
}

TEST_CASE("cli: a picture that is refused leaves no folder behind, nor takes one away") {
  const Workplace place;
  const std::vector<std::vector<std::string>> refused = {
      {"a robot", "--clip-skip", "99"},
      {"a robot", "--size", "60x60"},
      {"a robot", "--vae-approx", "absent.safetensors"},
      {"a robot", "--steps", "1001"}};
  fs::create_directories(place.path() / "mine");
  for (const std::vector<std::string>& arguments : refused) {
    for (const char* folder : {"one", "one/two", "mine", "mine/new"}) {
      INFO(arguments[1] << " into " << folder);
      std::vector<std::string> all = arguments;
      all.insert(all.end(), {"--out", folder});
      CHECK(place.run("sdx-generate", all).exit_code >= 64);
    }
    CHECK_FALSE(fs::exists(place.path() / "one"));
    CHECK(sdx::test::entries_in(place.path() / "mine") == 0);
  }
  CHECK(place.run("sdx-generate", {"a robot", "--steps", "1", "--out", "one/two"}).exit_code == 0);
  CHECK(sdx::test::entries_in(place.path() / "one/two") == 1);
}

TEST_CASE("cli: an output folder that cannot be written stops before any work") {
  const Workplace place;
  sdx::write_file_atomically(place.path() / "file", "x");
  check_refused(place.train("Ada", {"--embeddings", "file/below"}), 73, {"file/below"});
  check_refused(place.run("sdx-generate", {"a robot", "--out", "file/below"}), 73, {"file/below"});
  const RunResult trained = place.train("Ada", {"--embeddings", "file/below"});
  CHECK(trained.err.find("Training") == std::string::npos);
}

TEST_CASE("cli: an output folder that is read-only is 77, before any work", "[needs-mount]") {
  const Workplace place;
  const fs::path locked = place.path() / "locked";
  fs::create_directory(locked);
  // Permissions don't bind root, a read-only file system does.
  if (::mount("none", locked.c_str(), "tmpfs", MS_RDONLY, "") != 0)
    SDX_SKIP("nothing can be mounted here");
  const RunResult trained = place.train("Ada", {"--embeddings", locked});
  const RunResult generated = place.run("sdx-generate", {"a robot", "--out", locked});
  ::umount(locked.c_str());
  check_refused(trained, 77, {"locked"});
  check_refused(generated, 77, {"locked"});
  CHECK(trained.err.find("Training") == std::string::npos);
}

TEST_CASE("cli: an embedding is replaced only when asked") {
  const Workplace place;
  REQUIRE(place.train("Ada").exit_code == 0);
  const std::string first = sdx::test::read_bytes(place.path() / "embeddings/Ada.safetensors");
  check_refused(place.train("Ada", {"--seed", "9"}), 73,
                {"Ada.safetensors exists already", "--force"});
  CHECK(sdx::test::read_bytes(place.path() / "embeddings/Ada.safetensors") == first);
  CHECK(place.train("Ada", {"--seed", "9", "--force"}).exit_code == 0);
  CHECK(sdx::test::read_bytes(place.path() / "embeddings/Ada.safetensors") != first);
}

TEST_CASE("cli: a disk that fills up leaves the old embedding intact", "[needs-mount]") {
  const Workplace place;
  const fs::path disk = place.path() / "embeddings";
  fs::create_directory(disk);
  // A disk of 64 KiB, in a mount namespace of the test's own user if that is allowed.
  if (::mount("none", disk.c_str(), "tmpfs", 0, "size=64k") != 0)
    SDX_SKIP("a small disk cannot be mounted here");
  REQUIRE(place.train("Ada").exit_code == 0);
  const std::string first = sdx::test::read_bytes(disk / "Ada.safetensors");
  std::string filler(64 * 1024, 'x');
  std::FILE* file = std::fopen((disk / "filler").c_str(), "w");
  while (!filler.empty() && std::fwrite(filler.data(), 1, 512, file) == 512 &&
         std::fflush(file) == 0) {
    filler.resize(filler.size() - 512);
  }
  std::fclose(file);
  const RunResult result = place.train("Ada", {"--seed", "9", "--force"});
  const std::string after = sdx::test::read_bytes(disk / "Ada.safetensors");
  const std::size_t entries = sdx::test::entries_in(disk);
  ::umount(disk.c_str());
  INFO(result.err);
  CHECK((result.exit_code == 73 || result.exit_code == 74));
  CHECK(after == first);
  CHECK(entries == 2);
}

TEST_CASE("cli: a quota that is reached while writing leaves the old embedding intact") {
  const Workplace place;
  REQUIRE(place.train("Ada", {"--vectors", "40"}).exit_code == 0);
  const fs::path file = place.path() / "embeddings/Ada.safetensors";
  const std::string first = sdx::test::read_bytes(file);
  sdx::test::Run command =
      place.command("sdx-train", {"faces", "--name", "Ada", "--steps", "2", "--vectors", "40",
                                  "--seed", "9", "--force", "--runs", "/tmp/sdx-quota-runs"});
  // Enough for the run's small files, too little for 40 × 32 vectors and their header.
  command.prepare = [] {
    const rlimit limit{5000, 5000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  };
  const RunResult result = sdx::test::run(command);
  fs::remove_all("/tmp/sdx-quota-runs");
  INFO(result.err);
  CHECK(result.exit_code == 74);
  CHECK(sdx::test::read_bytes(file) == first);
  CHECK(sdx::test::entries_in(place.path() / "embeddings") == 1);
}

TEST_CASE("cli: a configuration file that is none") {
  const Workplace place;
  sdx::write_file_atomically(place.path() / "bad.json", "{nonsense");
  check_refused(place.train("Ada", {"--config", "bad.json"}), 65, {"--config", "JSON"});
  check_refused(place.train("Ada", {"--config", "absent.json"}), 66, {"absent.json"});
  sdx::write_file_atomically(place.path() / "unknown.json", R"({"stepz": 3})");
  check_refused(place.train("Ada", {"--config", "unknown.json"}), 64, {"stepz"});
}
