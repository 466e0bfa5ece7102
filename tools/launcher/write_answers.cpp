// Run by the build: asks every tool for its --help and --version, and writes the answers as the
// source that the programs are linked with (launch.h).

#include <cstdio>
#include <stdexcept>
#include <string>

#include "sdx/cli/tool.h"
#include "sdx/util/file.h"

namespace {

std::string answer_of(const sdx::Command& command, std::string question) {
  std::string name = command.name;
  char* argv[] = {name.data(), question.data(), nullptr};
  try {
    command.run(2, argv);
  } catch (const sdx::TextAnswer& answer) {
    return answer.text;
  }
  throw std::runtime_error(name + " has no answer to " + question);
}

/// The lines of the table for a command and its parts.
std::string lines_of(const sdx::Command& command, const std::string& path) {
  std::string lines;
  for (const char* question : {"--help", "--version"}) {
    lines += "    {\"" + path + " " + question + "\",\n     R\"sdx(" +
             answer_of(command, question) + ")sdx\"},\n";
  }
  if (command.parts != nullptr) {
    for (const sdx::Command& part : command.parts())
      lines += lines_of(part, path + " " + part.name);
  }
  return lines;
}

}  // namespace

int main(int argc, char** argv) {
  return sdx::run_tool("sdx-write-answers", argc, argv, [](int count, char** words) {
    if (count != 2) throw sdx::UsageError("usage: sdx-write-answers FILE.cpp");
    std::string source =
        "// Written by sdx-write-answers.\n#include \"launcher/launch.h\"\n\nnamespace sdx {\n\n"
        "static constexpr Answer kAnswers[] = {\n";
    for (const sdx::Command& tool : sdx::tools()) source += lines_of(tool, tool.name);
    source +=
        "};\n\nstd::span<const Answer> answers() { return kAnswers; }\n\n}  // namespace sdx\n";
    sdx::write_file_atomically(words[1], source);
  });
}
