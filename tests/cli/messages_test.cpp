// What the programs say while they work: --quiet, --verbose, and a progress bar on a terminal.

#include <pty.h>
#include <termios.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "support/mini_bundle.h"
#include "support/played_gpus.h"
#include "support/team_place.h"
#include "support/workplace.h"

#include "support/catch.h"

using Catch::Matchers::ContainsSubstring;
using sdx::test::demo_folder;
using sdx::test::Run;
using sdx::test::RunResult;
using sdx::test::TeamPlace;
using sdx::test::TempFolder;
using sdx::test::Workplace;

namespace fs = std::filesystem;

namespace {

/// What stands on a terminal after a program has written so much to it. Knows what the programs
/// use: line ends, carriage return, "erase to the end of the line" and "one line up".
std::vector<std::string> screen_after(const std::string& written) {
  std::vector<std::string> lines(1);
  std::size_t row = 0;
  std::size_t column = 0;
  for (std::size_t i = 0; i < written.size(); ++i) {
    if (written.compare(i, 3, "\x1b[K") == 0) {
      lines[row].resize(std::min(column, lines[row].size()));
      i += 2;
    } else if (written.compare(i, 3, "\x1b[A") == 0) {
      row = row == 0 ? 0 : row - 1;
      i += 2;
    } else if (written[i] == '\r') {
      column = 0;
    } else if (written[i] == '\n') {
      if (++row == lines.size()) lines.emplace_back();
    } else {
      lines[row].resize(std::max(lines[row].size(), column + 1), ' ');
      lines[row][column++] = written[i];
    }
  }
  return lines;
}

/// Runs the program with a terminal as its stderr; `err` is what it wrote there.
RunResult run_on_terminal(Run command) {
  int master = -1;
  int slave = -1;
  if (::openpty(&master, &slave, nullptr, nullptr, nullptr) != 0) {
    throw std::runtime_error("no pseudo-terminal");
  }
  std::string written;
  command.prepare = [slave, before = command.prepare] {
    before();
    ::dup2(slave, STDERR_FILENO);
  };
  command.meanwhile = [&](pid_t) {
    ::close(slave);  // so that reading ends with the program
    char part[4096];
    for (ssize_t size = 0; (size = ::read(master, part, sizeof part)) > 0;) {
      written.append(part, static_cast<std::size_t>(size));
    }
  };
  RunResult result = sdx::test::run(command);
  ::close(master);
  result.err = written;
  return result;
}

std::ptrdiff_t count_with(const std::vector<std::string>& lines, const std::string& part) {
  return std::count_if(lines.begin(), lines.end(), [&](const std::string& line) {
    return line.find(part) != std::string::npos;
  });
}

}  // namespace

TEST_CASE("messages: --verbose says what is chosen and loaded, --quiet says nothing") {
  const Workplace place;
  const auto train = [&](std::vector<std::string> more) {
    more.push_back("--force");
    more.insert(more.end(), {"--threads", "1"});
    const RunResult result = place.train("Ada", more);
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
    return result.err;
  };
  const std::string usual = train({});
  const std::vector<std::string> only_verbose = {"Computing on cpu in fp32, processor threads: 1",
                                                 "Model: " + Workplace::model(), "Loaded unet.ts",
                                                 "Start: person", "Step 2: obedience"};
  const std::string verbose = train({"-v"});
  for (const std::string& line : only_verbose) {
    CHECK_THAT(verbose, ContainsSubstring(line));
    CHECK(usual.find(line) == std::string::npos);
  }
  CHECK_THAT(verbose, ContainsSubstring("3 of 3 files used"));
  CHECK_THAT(verbose, ContainsSubstring("Pictures encoded: 0"));  // the first training's are there
  CHECK(train({"--verbose"}).find("Loaded unet.ts") != std::string::npos);
  CHECK(train({"-q"}).empty());
  CHECK(train({"-q", "-v"}).empty());

  const auto generate = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"<Ada> as a knight", "--steps", "2", "--size", "64x64", "-n", "2"});
    const RunResult result = place.run("sdx-generate", more);
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
    return result.err;
  };
  CHECK_THAT(generate({"-v"}), ContainsSubstring("Pictures 1 to 2 of 2: text and 2 steps") &&
                                   ContainsSubstring("Pictures 1 to 2: decoded"));
  CHECK(generate({"-q"}).empty());
}

TEST_CASE("messages: --verbose may stand in --config, and --quiet leaves the error alone") {
  const Workplace place;
  std::ofstream(place.path() / "config.json") << R"({"verbose": true})";
  CHECK_THAT(place.train("Ada", {"--config", "config.json"}).err,
             ContainsSubstring("Loaded unet.ts"));
  const RunResult failed = place.train("Ada", {"-q"});
  CHECK(failed.exit_code == 73);
  CHECK(std::count(failed.err.begin(), failed.err.end(), '\n') == 1);
}

TEST_CASE("messages: on a terminal they stand above one bar") {
  const Workplace place;
  const RunResult result =
      run_on_terminal(place.command("sdx-generate", {"a knight", "--steps", "30", "--size", "64x64",
                                                     "-n", "3", "--batch", "1", "-v"}));
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  const std::vector<std::string> screen = screen_after(result.err);
  CHECK(count_with(screen, "Generating [") == 1);
  CHECK(count_with(screen, "90/90") == 1);
  for (const char* message :
       {"Pictures 1 to 1 of 3", "Pictures 3 to 3 of 3", "Pictures 1 to 1: decoded",
        "Pictures 3 to 3: decoded", "Loaded unet.ts"}) {
    CHECK(count_with(screen, message) == 1);
  }
}

TEST_CASE("messages: on a terminal a team's bar has two lines, and takes no message away") {
  const TempFolder folder;
  std::ofstream(folder.path() / "team.csv")
      << "name,portraits\nAda," << (demo_folder() / "ada").string() << "\nBen,"
      << (demo_folder() / "ben").string() << "\n";
  std::ofstream(folder.path() / "prompts.txt") << "{name} as a knight\n";
  std::ofstream(folder.path() / "training.json") << R"({"steps": 4, "milestone-steps": 2})";
  Run command;
  command.tool = "sdx-roster";
  command.arguments = {
      "run",   "team.csv", "--prompts", "prompts.txt", "--training", "training.json",
      "--out", "team",     "--steps",   "2",           "-v"};
  command.folder = folder.path();
  const RunResult result = run_on_terminal(command);
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  const std::vector<std::string> screen = screen_after(result.err);
  for (const char* step : {"Step 0: obedience", "Step 2: obedience", "Step 4: obedience"}) {
    CHECK(count_with(screen, step) == 2);  // of Ada's training and of Ben's
  }
  // A bar of the people stands above each other bar, and nowhere else.
  std::vector<std::string> after_people;
  for (std::size_t i = 0; i + 1 < screen.size(); ++i) {
    if (screen[i].starts_with("People [")) after_people.push_back(screen[i + 1]);
  }
  CHECK(count_with(after_people, "Training <Ada> [") == 1);
  CHECK(count_with(after_people, "Training <Ben> [") == 1);
  CHECK(count_with(after_people, " [") ==
        count_with(screen, " [") - count_with(screen, "People ["));
}

TEST_CASE("messages: on a terminal all GPUs of a team have one bar") {
  const TeamPlace place;
  const RunResult result = run_on_terminal(
      sdx::test::with_gpus(place.command("sdx-roster", place.run_arguments()), "fine,fine"));
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  const std::vector<std::string> screen = screen_after(result.err);
  for (const char* message : {"(1/3) <", "(2/3) <", "(3/3) <", "<Ada>: training, is new",
                              "<Ben>: training, is new", "<Eve>: training, is new"}) {
    CHECK(count_with(screen, message) == 1);
  }
  // One for each number of people who are done: 0, 1 and 2.
  CHECK(count_with(screen, "Training [") >= 2);
  CHECK(count_with(screen, "Training [") <= 3);
  CHECK(count_with(screen, "/60") == count_with(screen, "Training ["));
  std::vector<std::string> after_people;
  for (std::size_t i = 0; i + 1 < screen.size(); ++i) {
    if (screen[i].starts_with("People [")) after_people.push_back(screen[i + 1]);
  }
  CHECK(count_with(after_people, " [") ==
        count_with(screen, " [") - count_with(screen, "People ["));
}
