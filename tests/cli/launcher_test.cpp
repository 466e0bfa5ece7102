// The programs before they load the toolkit's library: tools/launcher/.

#include <cstdlib>
#include <fstream>

#include "sdx/cli/tool.h"
#include "support/run.h"
#include "support/workplace.h"

#include "support/catch.h"

namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;
using sdx::test::RunResult;
using Words = std::vector<std::string>;

namespace {

RunResult run(const std::string& program, const Words& words) {
  sdx::test::Run command;
  command.tool = program;
  command.arguments = words;
  return sdx::test::run(command);
}

/// Every tool and part of a tool, as it is typed: {"sdx-model", "embedding", "show"}.
void collect(const sdx::Command& command, Words path, std::vector<Words>& found) {
  path.emplace_back(command.name);
  found.push_back(path);
  if (command.parts == nullptr) return;
  for (const sdx::Command& part : command.parts()) collect(part, path, found);
}

std::vector<Words> all_commands() {
  std::vector<Words> found;
  for (const sdx::Command& tool : sdx::tools()) collect(tool, {}, found);
  return found;
}

Words parts_and(const Words& command, std::initializer_list<std::string> more) {
  Words words(command.begin() + 1, command.end());
  words.insert(words.end(), more);
  return words;
}

/// The programs in a folder of their own, without their library.
class LonelyPrograms {
 public:
  LonelyPrograms() {
    fs::create_directory(folder_.path() / "bin");
    for (const sdx::Command& tool : sdx::tools()) {
      fs::copy_file(fs::path(SDX_BIN_DIR) / tool.name, path(tool.name));
    }
  }
  std::string path(const std::string& tool) const { return folder_.path() / "bin" / tool; }
  fs::path library() const { return folder_.path() / "lib/sdx/libsdx-tools.so"; }

 private:
  sdx::test::TempFolder folder_;
};

}  // namespace

TEST_CASE("cli: --help and --version are answered without the library, in its own words") {
  const LonelyPrograms lonely;
  const std::vector<Words> commands = all_commands();
  CHECK(commands.size() == 23);
  for (const Words& command : commands) {
    INFO(command.front() << " " << command.back());
    for (const char* question : {"--help", "--help-all", "--version"}) {
      const RunResult known = run(lonely.path(command.front()), parts_and(command, {question}));
      // Twice the same is no question that the program knows: the library answers.
      const RunResult asked = run(command.front(), parts_and(command, {question, question}));
      CHECK(known.exit_code == 0);
      CHECK(known.err.empty());
      CHECK(asked.exit_code == 0);
      CHECK(known.out == asked.out);
    }
    const RunResult help = run(lonely.path(command.front()), parts_and(command, {"-h"}));
    CHECK(help.exit_code == 0);
    CHECK_THAT(help.out, ContainsSubstring("Usage: " + command.front()));
    CHECK_THAT(help.out, ContainsSubstring("Examples:"));
    const RunResult version = run(lonely.path(command.front()), parts_and(command, {"--version"}));
    CHECK_THAT(version.out, Catch::Matchers::StartsWith("sdx 0."));
    CHECK_THAT(version.out, ContainsSubstring("libtorch"));
    CHECK_THAT(version.out, ContainsSubstring("GPU recordings built in\n"));
  }
}

TEST_CASE("cli: words with spaces are a prompt, no part of a tool") {
  const LonelyPrograms lonely;
  CHECK(run(lonely.path("sdx-model"), {"import --help"}).exit_code == 69);
}

TEST_CASE("cli: --help says the same whatever $SDX_MODEL is") {
  sdx::test::Run command;
  command.tool = "sdx-generate";
  command.arguments = {"--help", "--help"};
  const RunResult without = sdx::test::run(command);
  command.prepare = [] { ::setenv("SDX_MODEL", "elsewhere", 1); };
  CHECK(sdx::test::run(command).out == without.out);
  command.arguments = {"--print-config"};
  CHECK_THAT(sdx::test::run(command).out, ContainsSubstring("\"model\": \"elsewhere\""));
  command.arguments = {"--model", "here", "--print-config"};
  CHECK_THAT(sdx::test::run(command).out, ContainsSubstring("\"model\": \"here\""));
}

TEST_CASE("cli: a program whose library is missing or broken says so in a line") {
  const LonelyPrograms lonely;
  const auto check_refused = [&lonely] {
    const RunResult result = run(lonely.path("sdx-tokenize"), {"a robot"});
    CHECK(result.exit_code == 69);
    CHECK(result.out.empty());
    CHECK_THAT(result.err, Catch::Matchers::StartsWith("sdx-tokenize: error: cannot load "));
    CHECK_THAT(result.err, ContainsSubstring(lonely.library().string()));
    CHECK(std::count(result.err.begin(), result.err.end(), '\n') == 1);
  };
  check_refused();
  fs::create_directories(lonely.library().parent_path());
  std::ofstream(lonely.library()) << "no library\n";
  check_refused();
}

TEST_CASE("cli: messages go into no file where a standard stream is closed") {
  const sdx::test::Workplace place;
  sdx::test::Run command = place.command("sdx-train", {"faces", "--name", "Ada", "--steps", "2",
                                                       "--batch", "1", "--milestone-steps", "0"});
  command.prepare = [] { ::close(STDERR_FILENO); };
  REQUIRE(sdx::test::run(command).exit_code == 0);
  const std::string lock = sdx::test::read_bytes(place.path() / "runs/Ada/.lock");
  CHECK_THAT(lock, !ContainsSubstring("faces"));
  CHECK_THAT(lock, !ContainsSubstring("Training"));
  CHECK_THAT(lock, !ContainsSubstring("used"));
}

TEST_CASE("cli: an answer that cannot be written is an error") {
  sdx::test::Run command;
  command.tool = "sdx-train";
  command.arguments = {"--help"};
  command.prepare = [] { ::dup2(::open("/dev/full", O_WRONLY), STDOUT_FILENO); };
  const RunResult result = sdx::test::run(command);
  CHECK(result.exit_code == 74);
  CHECK(result.err == "sdx-train: error: stdout: writing failed\n");
}

TEST_CASE("launcher: waiting threads spin for a moment, unless the user has said otherwise") {
  // libgomp itself says how it was set up.
  const auto settings = [](const char* variable, const char* value) {
    sdx::test::Run command;
    command.tool = "sdx-model";
    command.arguments = {"list"};
    command.prepare = [=] {
      ::unsetenv("OMP_WAIT_POLICY");
      ::unsetenv("GOMP_SPINCOUNT");
      ::setenv("OMP_DISPLAY_ENV", "verbose", 1);
      if (variable != nullptr) ::setenv(variable, value, 1);
    };
    return sdx::test::run(command).err;
  };
  const std::string own = settings(nullptr, nullptr);
  CHECK_THAT(own, ContainsSubstring("OMP_WAIT_POLICY = 'PASSIVE'"));
  CHECK_THAT(own, ContainsSubstring("GOMP_SPINCOUNT = '5000'"));
  CHECK_THAT(settings("OMP_WAIT_POLICY", "active"),
             ContainsSubstring("OMP_WAIT_POLICY = 'ACTIVE'"));
  CHECK_THAT(settings("OMP_WAIT_POLICY", "passive"), ContainsSubstring("GOMP_SPINCOUNT = '0'"));
  CHECK_THAT(settings("GOMP_SPINCOUNT", "123"), ContainsSubstring("GOMP_SPINCOUNT = '123'"));
}

TEST_CASE("launcher: too little address space is said, and no crash") {
  sdx::test::Run command;
  command.tool = "sdx-generate";
  command.arguments = {"robot", "--steps", "1"};
  command.prepare = [] {
    const rlimit limit = {400'000'000, 400'000'000};
    ::setrlimit(RLIMIT_AS, &limit);
  };
  const RunResult result = sdx::test::run(command);
  CHECK(result.exit_code == 75);
  CHECK(result.err ==
        "sdx-generate: error: this process may use 400 MB of address space (ulimit -v); expected "
        "at least 1000 MB\n");
}

TEST_CASE("launcher: a present folder that was removed is said") {
  const sdx::test::TempFolder place;
  fs::create_directory(place.path() / "gone");
  sdx::test::Run command;
  command.tool = "sdx-generate";
  command.arguments = {"robot", "--out", place.path() / "x"};
  command.folder = place.path() / "gone";
  const std::string gone = place.path() / "gone";
  command.prepare = [gone] { ::rmdir(gone.c_str()); };
  const RunResult result = sdx::test::run(command);
  CHECK(result.exit_code == 66);
  CHECK_THAT(result.err, ContainsSubstring("the present folder cannot be reached"));
}
