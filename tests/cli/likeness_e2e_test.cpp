// From real portraits to pictures, on the built-in model.

#include <sstream>

#include "sdx/util/json.h"
#include "support/run.h"

#include "support/catch.h"

namespace fs = std::filesystem;
using sdx::test::RunResult;

TEST_CASE("e2e: learning Ada lowers the loss on the fixed batch") {
  const sdx::test::TempFolder folder;
  sdx::test::Run command;
  command.tool = "sdx-train";
  command.arguments = {std::string(SDX_SOURCE_DIR) + "/configs/demo/portraits/ada", "--name", "Ada",
                       "--steps", "60"};
  command.folder = folder.path();
  const RunResult result = sdx::test::run(command);
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  std::vector<double> losses;
  std::istringstream metrics(sdx::test::read_bytes(folder.path() / "runs/Ada/metrics.jsonl"));
  for (std::string line; std::getline(metrics, line);) {
    const sdx::Json json = sdx::Json::parse(line);
    if (json.contains("fixed_loss")) losses.push_back(json["fixed_loss"]);
  }
  REQUIRE(losses.size() >= 3);
  CHECK(losses.back() < losses.front());
}

TEST_CASE("e2e: photographs of a real person go the whole way", "[needs-data]") {
  const fs::path portraits = fs::path(SDX_SHARED_DATA) / "portraits/lisa";
  if (!fs::exists(portraits)) SDX_SKIP("the photographs in shared/data are not here");
  const sdx::test::TempFolder folder;
  sdx::test::Run command;
  command.folder = folder.path();
  command.tool = "sdx-train";
  command.arguments = {portraits.string(), "--name", "Lisa", "--steps", "10"};
  const RunResult trained = sdx::test::run(command);
  INFO(trained.err);
  REQUIRE(trained.exit_code == 0);
  CHECK(trained.err.find("around the face") != std::string::npos);
  command.tool = "sdx-generate";
  command.arguments = {"<Lisa>, smiling", "--seed", "1"};
  const RunResult made = sdx::test::run(command);
  INFO(made.err);
  CHECK(made.exit_code == 0);
  CHECK(made.out == "pictures/0001-1-lisa-smiling.png\n");
}
