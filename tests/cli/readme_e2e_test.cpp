// The README stays true: its commands run, in their order, as they are written there.

#include <cstdlib>
#include <regex>

#include "sdx/util/file.h"
#include "support/synthetic.h"
#include "support/temp_folder.h"

#include "support/catch.h"

namespace fs = std::filesystem;

namespace {

/// The lines of the README's ```sh blocks that run one of the tools. Installing, from source or
/// from the archive, is tested by itself (tests/release).
std::string tool_commands() {
  const std::string readme = sdx::read_file(fs::path(SDX_SOURCE_DIR) / "README.md");
  const std::regex block("```sh\n([^`]*)```");
  std::string commands;
  for (std::sregex_iterator match(readme.begin(), readme.end(), block), end; match != end;
       ++match) {
    const std::string text = (*match)[1];
    if (!text.starts_with("scripts/") && !text.starts_with("tar ")) commands += text;
  }
  return commands;
}

}  // namespace

TEST_CASE("e2e: the README's commands run as written, on the built-in model") {
  const sdx::test::TempFolder folder;
  for (const char* const part : {"configs", "docs"}) {
    fs::create_directory_symlink(fs::path(SDX_SOURCE_DIR) / part, folder.path() / part);
  }
  // The checkpoint that the README imports: the same names of tensors, tiny, without meaning.
  sdx::test::SyntheticModel("sd1-tiny")
      .write_single_file(folder.path() / "v1-5-pruned-emaonly.safetensors", at::kHalf);
  const std::string commands = tool_commands();
  REQUIRE(commands.find("sdx-train configs/demo/portraits/ada --name Ada\n") != std::string::npos);
  REQUIRE(commands.find("sdx-generate") != std::string::npos);
  REQUIRE(commands.find("sdx-model import") != std::string::npos);
  REQUIRE(commands.find("sdx-roster run") != std::string::npos);
  REQUIRE(commands.find("sdx-tokenize") != std::string::npos);
  const fs::path script =
      folder.file("readme.sh", "set -eu\ncd " + folder.path().string() + "\nexport HOME=$PWD" +
                                   "\nPATH=" + SDX_BIN_DIR + ":$PATH\n" + commands);
  REQUIRE(std::system(("bash " + script.string() + " 2>&1").c_str()) == 0);
  CHECK(fs::exists(folder.path() / "embeddings/Ada.safetensors"));
  CHECK(fs::exists(folder.path() / "team/embeddings/Ben.safetensors"));
  CHECK(fs::exists(folder.path() / "team/index.html"));
  CHECK(fs::exists(folder.path() / "pictures/0001-7-ada-in-the-snow.png"));
  CHECK(fs::exists(folder.path() / "pictures/0003-grid.png"));
}
