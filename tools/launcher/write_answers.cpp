// Run by the build: asks every tool for its --help and --version, and writes the answers as the
// source that the programs are linked with (launch.h). Writes manual pages and completions, too.

#include <cstdio>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "sdx/cli/completion.h"
#include "sdx/cli/manual.h"
#include "sdx/cli/tool.h"
#include "sdx/util/file.h"
#include "sdx/version.h"

namespace {

std::string compose_answer(const sdx::Command& tool, const std::vector<std::string>& words) {
  try {
    sdx::run_command(tool, words);
  } catch (const sdx::TextAnswer& answer) {
    return answer.text;
  }
  throw std::runtime_error(std::string(tool.name) + " has no answer to " + words.back());
}

/// The lines of the table for a tool's command and its parts.
/// @param words that name the command, behind the tool's name
std::string write_lines(const sdx::Command& tool, const sdx::Command& command,
                        const std::vector<std::string>& words) {
  std::string path = tool.name;
  for (const std::string& word : words) path += " " + word;
  std::string lines;
  for (const char* question : {"--help", "--help-all", "--version"}) {
    std::vector<std::string> asked = words;
    asked.emplace_back(question);
    lines += "    {\"" + path + " " + question + "\",\n     R\"sdx(" + compose_answer(tool, asked) +
             ")sdx\"},\n";
  }
  if (command.parts != nullptr) {
    for (const sdx::Command& part : command.parts()) {
      std::vector<std::string> longer = words;
      longer.emplace_back(part.name);
      lines += write_lines(tool, part, longer);
    }
  }
  return lines;
}

/// Files for other programs, in their places below `share`.
void write_shared_files(const std::filesystem::path& share) {
  const auto write = [&share](const std::string& place, const std::string& text) {
    const std::filesystem::path file = share / place;
    std::filesystem::create_directories(file.parent_path());
    sdx::write_file_atomically(file, text);
  };
  for (const sdx::Command& tool : sdx::tools()) {
    write(std::string("man/man1/") + tool.name + ".1", sdx::write_manual_page(tool, sdx::kVersion));
    for (const auto& shell : sdx::kEnumTexts<sdx::Shell>) {
      write(sdx::find_completion_path(tool, shell.value), sdx::write_completion(tool, shell.value));
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  return sdx::run_tool("sdx-write-answers", [&] {
    if (argc != 3) throw sdx::UsageError("usage: sdx-write-answers FILE.cpp SHARE_FOLDER");
    std::string source =
        "// Written by sdx-write-answers.\n#include \"launcher/launch.h\"\n\nnamespace sdx {\n\n"
        "static constexpr Answer kAnswers[] = {\n";
    for (const sdx::Command& tool : sdx::tools()) source += write_lines(tool, tool, {});
    source +=
        "};\n\nstd::span<const Answer> answers() { return kAnswers; }\n\n}  // namespace sdx\n";
    write_shared_files(argv[2]);
    sdx::write_file_atomically(argv[1], source);
  });
}
