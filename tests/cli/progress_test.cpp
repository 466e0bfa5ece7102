// What a person at a terminal sees of a training, and a pipe does not get.

#include "sdx/util/base64.h"
#include "support/at_terminal.h"
#include "support/workplace.h"

#include "support/catch.h"

using Catch::Matchers::ContainsSubstring;
using sdx::test::RunResult;
using sdx::test::Workplace;

namespace {

std::string run_at_terminal(const Workplace& place, std::vector<std::string> arguments,
                            const std::string& terminal_name) {
  return sdx::test::run_at_terminal(place.command("sdx-train", std::move(arguments)),
                                    terminal_name);
}

const std::vector<std::string> kTraining = {
    "faces", "--name", "Ada", "--steps", "4", "--batch", "1", "--milestone-steps", "2", "--force"};

}  // namespace

TEST_CASE("cli: a terminal gets a bar with the figures, and the path of each preview") {
  const Workplace place;
  const std::string seen = run_at_terminal(place, kTraining, "xterm");
  CHECK_THAT(seen, ContainsSubstring("Training <Ada> [######"));
  CHECK_THAT(seen, ContainsSubstring(" left  loss "));
  CHECK_THAT(seen, ContainsSubstring("Previews of step 0: runs/Ada/previews/000000.png\r\n"));
  CHECK_THAT(seen, ContainsSubstring("Previews of step 4: runs/Ada/previews/000004.png\r\n"));
  CHECK_THAT(seen, !ContainsSubstring("\x1b_G") && !ContainsSubstring("\x1b]1337"));
}

TEST_CASE("cli: a terminal that shows pictures gets them") {
  const Workplace place;
  const std::string kitty = run_at_terminal(place, kTraining, "xterm-kitty");
  const std::string png =
      sdx::to_base64(sdx::test::read_bytes(place.path() / "runs/Ada/previews/000004.png"));
  CHECK_THAT(kitty, ContainsSubstring("\x1b_Ga=T,f=100,q=2,r=10,m=" +
                                      std::string(png.size() > 4096 ? "1;" : "0;") +
                                      png.substr(0, 4096) + "\x1b\\"));
  // The chunks together are the file.
  std::string sent;
  const std::size_t last = kitty.rfind("\x1b_Ga=T");
  for (std::size_t at = last; (at = kitty.find("\x1b_G", at)) != std::string::npos;) {
    const std::size_t begin = kitty.find(';', at) + 1;
    at = kitty.find("\x1b\\", begin);
    CHECK(at - begin <= 4096);
    sent += kitty.substr(begin, at - begin);
  }
  CHECK(sent == png);
}

TEST_CASE("cli: a pipe gets neither bars nor pictures") {
  const Workplace place;
  sdx::test::Run command = place.command("sdx-train", kTraining);
  command.prepare = [] { ::setenv("TERM", "xterm-kitty", 1); };
  const RunResult result = sdx::test::run(command);
  CHECK(result.exit_code == 0);
  CHECK_THAT(result.err, ContainsSubstring("Training <Ada> 4/4"));
  CHECK_THAT(result.err, !ContainsSubstring("[#") && !ContainsSubstring("\x1b") &&
                             !ContainsSubstring("Previews of step"));
}
