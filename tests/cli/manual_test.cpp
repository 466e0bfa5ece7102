// What the build writes for other programs: manual pages, and completions of shells.

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "sdx/cli/completion.h"
#include "sdx/cli/tool.h"
#include "sdx/util/text.h"
#include "support/catch.h"
#include "support/run.h"
#include "support/temp_folder.h"

namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;
using sdx::Shell;
using Words = std::vector<std::string>;

namespace {

fs::path shared(const std::string& place) { return fs::path(SDX_SHARE_DIR).parent_path() / place; }

bool has_program(const std::string& name) {
  return std::system(("command -v " + name + " >/dev/null 2>&1").c_str()) == 0;
}

const sdx::Command& find_tool(std::string_view name) {
  for (const sdx::Command& tool : sdx::tools()) {
    if (tool.name == name) return tool;
  }
  throw std::runtime_error("no such tool");
}

/// Writes what stands in `script` and runs it. What it prints, in lines.
Words run_script(const std::string& shell, const std::string& script, const fs::path& folder) {
  const fs::path file = folder / "script";
  std::ofstream(file) << script;
  sdx::test::Run command;
  command.tool = "/usr/bin/env";
  command.arguments = {shell, file.string()};
  command.folder = folder;
  const sdx::test::RunResult result = sdx::test::run(command);
  INFO(result.err);
  CHECK(result.exit_code == 0);
  Words lines;
  for (const std::string& line : sdx::split_list(result.out, '\n')) {
    if (!line.empty()) lines.push_back(line);
  }
  return lines;
}

/// What bash offers for the last of the words.
Words complete_in_bash(const Words& words, const fs::path& folder) {
  std::string script =
      "PATH=" SDX_BIN_DIR ":$PATH\nsource " +
      shared(sdx::find_completion_path(find_tool(words[0]), Shell::kBash)).string() +
      "\nCOMP_WORDS=(";
  for (const std::string& word : words) script += " '" + word + "'";
  script += " )\nCOMP_CWORD=" + std::to_string(words.size() - 1) +
            "\ncompopt() { :; }\n$(complete -p " + words[0] +
            " | sed 's/.*-F \\([^ ]*\\) .*/\\1/')\nprintf '%s\\n' \"${COMPREPLY[@]}\"\n";
  return run_script("bash", script, folder);
}

}  // namespace

TEST_CASE("manual: bash completes parts, options and their values") {
  const sdx::test::TempFolder folder;
  fs::create_directories(folder.path() / "embeddings");
  fs::create_directories(folder.path() / "portraits/ada");
  for (const char* name : {"Ada", "Adam", "Ben"}) {
    std::ofstream(folder.path() / "embeddings" / (std::string(name) + ".safetensors"));
  }
  const auto complete = [&](const Words& words) { return complete_in_bash(words, folder.path()); };
  CHECK(complete({"sdx-generate", "--sampler", "euler"}) == Words{"euler_a", "euler"});
  // As bash cuts --format=p.
  CHECK(complete({"sdx-generate", "--format", "=", "p"}) == Words{"png"});
  CHECK(complete({"sdx-generate", "--hires-s"}) == Words{"--hires-strength", "--hires-steps"});
  CHECK(complete({"sdx-generate", "--names", "Ben,Ad"}) == Words{"Ben,Ada", "Ben,Adam"});
  CHECK(complete({"sdx-generate", "--model", "min"}) == Words{"mini"});
  CHECK(complete({"sdx-train", "port"}) == Words{"portraits"});
  CHECK(complete({"sdx-train", "--preset", ""}) == Words{"fast", "balanced", "best"});
  CHECK(complete({"sdx-roster", "s"}) == Words{"slurm", "status"});
  CHECK(complete({"sdx-roster", "run", "--prompts", "stat"}) == Words{"statcrew"});
  CHECK(complete({"sdx-roster", "forget", "--y"}) == Words{"--yes"});
  CHECK(complete({"sdx-model", "embedding", "convert", "--to", "a"}) == Words{"a1111"});
  CHECK(complete({"sdx-model", "embedding", "s"}) == Words{"show"});
}

TEST_CASE("manual: zsh reads its completions", "[needs-zsh]") {
  if (!has_program("zsh")) SDX_SKIP("zsh is not here");
  const sdx::test::TempFolder folder;
  for (const sdx::Command& tool : sdx::tools()) {
    const fs::path file = shared(sdx::find_completion_path(tool, Shell::kZsh));
    INFO(file);
    run_script("zsh", "zsh -n " + file.string() + "\n", folder.path());
  }
}

TEST_CASE("manual: fish completes parts, options and their values", "[needs-fish]") {
  if (!has_program("fish")) SDX_SKIP("fish is not here");
  const sdx::test::TempFolder folder;
  const auto complete = [&](const std::string& line) {
    const std::string tool = line.substr(0, line.find(' '));
    Words found =
        run_script("fish",
                   "set PATH " SDX_BIN_DIR " $PATH\nsource " +
                       shared(sdx::find_completion_path(find_tool(tool), Shell::kFish)).string() +
                       "\ncomplete -C '" + line + "'\n",
                   folder.path());
    for (std::string& each : found) each.erase(std::min(each.find('\t'), each.size()));
    std::sort(found.begin(), found.end());
    return found;
  };
  CHECK(complete("sdx-generate --sampler euler") == Words{"euler", "euler_a"});
  CHECK(complete("sdx-generate --hires-s") == Words{"--hires-steps", "--hires-strength"});
  CHECK(complete("sdx-roster s") == Words{"slurm", "status"});
  CHECK(complete("sdx-model embedding convert --to a") == Words{"a1111"});
}

TEST_CASE("manual: each page names every option, and roff finds no fault in it") {
  const bool can_check = has_program("groff");
  const sdx::test::TempFolder folder;
  for (const sdx::Command& tool : sdx::tools()) {
    const fs::path file = shared(std::string("man/man1/") + tool.name + ".1");
    INFO(file);
    std::ifstream stream(file);
    const std::string page((std::istreambuf_iterator<char>(stream)), {});
    CHECK_THAT(page, ContainsSubstring(".SH EXIT STATUS") && ContainsSubstring(".SH EXAMPLES"));
    std::vector<sdx::CommandDescription> open = {sdx::describe_command(tool)};
    while (!open.empty()) {
      const sdx::CommandDescription command = std::move(open.back());
      open.pop_back();
      for (const sdx::OptionDescription& option : command.options) {
        std::string shown = "--" + option.info.key;
        if (option.info.is_positional) shown = option.info.key;
        for (std::size_t at = 0; (at = shown.find('-', at)) != shown.npos; at += 2) {
          shown.insert(at, "\\");
        }
        CHECK_THAT(page, ContainsSubstring(shown));
      }
      open.insert(open.end(), command.parts.begin(), command.parts.end());
    }
    if (can_check) {
      const Words complaints = run_script(
          "bash", "groff -man -ww -z -Tutf8 -Kutf8 " + file.string() + " 2>&1\n", folder.path());
      CHECK(complaints == Words{});
    }
  }
}

TEST_CASE("manual: --help shows the options that matter most, --help-all each one") {
  const auto ask = [](const std::string& tool, const std::string& question) {
    sdx::test::Run command;
    command.tool = tool;
    command.arguments = {question};
    return sdx::test::run(command).out;
  };
  for (const char* tool : {"sdx-train", "sdx-generate"}) {
    INFO(tool);
    const std::string few = ask(tool, "--help");
    const std::string all = ask(tool, "--help-all");
    CHECK_THAT(few, ContainsSubstring(std::string("All options: ") + tool + " --help-all"));
    CHECK_THAT(all, !ContainsSubstring("All options:"));
    for (const sdx::OptionDescription& option : sdx::describe_command(find_tool(tool)).options) {
      const std::string shown = (option.info.is_positional ? "  " : "--") + option.info.key;
      CHECK_THAT(all, ContainsSubstring(shown));
      if (option.info.is_common) CHECK_THAT(few, ContainsSubstring(shown));
    }
    CHECK(std::count(few.begin(), few.end(), '\n') < 55);
  }
  CHECK_THAT(ask("sdx-generate", "--help"), !ContainsSubstring("--sigmas"));
}
