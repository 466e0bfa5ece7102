// Run by the build: asks every tool for its --help and --version, and writes the answers as the
// source that the programs are linked with (launch.h).

#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

#include "sdx/cli/tool.h"
#include "sdx/util/file.h"

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
  for (const char* question : {"--help", "--version"}) {
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

}  // namespace

int main(int argc, char** argv) {
  return sdx::run_tool("sdx-write-answers", [&] {
    if (argc != 2) throw sdx::UsageError("usage: sdx-write-answers FILE.cpp");
    std::string source =
        "// Written by sdx-write-answers.\n#include \"launcher/launch.h\"\n\nnamespace sdx {\n\n"
        "static constexpr Answer kAnswers[] = {\n";
    for (const sdx::Command& tool : sdx::tools()) source += write_lines(tool, tool, {});
    source +=
        "};\n\nstd::span<const Answer> answers() { return kAnswers; }\n\n}  // namespace sdx\n";
    sdx::write_file_atomically(argv[1], source);
  });
}
