// sdx-generate --preview-every: the running picture, in a terminal or a file, and never in the
// pictures.

#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "sdx/image/decode.h"
#include "sdx/image/transform.h"
#include "sdx/util/base64.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "sdx/util/json.h"
#include "support/at_terminal.h"
#include "support/image_files.h"
#include "support/pictures.h"
#include "support/played_gpus.h"
#include "support/sixel.h"
#include "support/team_place.h"
#include "support/workplace.h"

#include "support/catch.h"

namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;
using sdx::test::count_in;
using sdx::test::Run;
using sdx::test::run_at_terminal;
using sdx::test::RunResult;
using sdx::test::Workplace;

namespace {

Run command(const Workplace& place, const std::string& folder, std::vector<std::string> more) {
  more.insert(more.begin(), {"a robot", "--seed", "5", "--out", folder});
  return place.command("sdx-generate", more);
}

std::string tiny() {
  return (fs::path(SDX_TEST_DATA) / "taesd" / "taesd_decoder.safetensors").string();
}

/// The sizes of the previews that could be seen in a file while a command ran.
Run watched(Run command, const fs::path& file, std::vector<int>& widths) {
  command.meanwhile = [file, &widths](pid_t process) {
    while (widths.empty() && sdx::test::is_running(process)) {
      if (fs::exists(file)) {
        try {
          widths.push_back(sdx::decode_image(file).image.width_px);
        } catch (const sdx::MissingInputError&) {
          // It was replaced, or taken away at the end.
        }
      }
      std::this_thread::yield();
    }
  };
  return command;
}

/// The pictures that a terminal like kitty was sent.
std::vector<sdx::Image> read_kitty_pictures(const std::string& seen, const fs::path& file) {
  std::vector<sdx::Image> pictures;
  std::string data;
  for (std::size_t at = 0; (at = seen.find("\x1b_G", at)) != seen.npos;) {
    const std::size_t begin = seen.find_first_of(";\x1b", at + 1) + 1;
    const std::size_t end = seen.find("\x1b\\", at);
    const std::string head = seen.substr(at, begin - at);
    at = end;
    if (!head.ends_with(";")) continue;  // it erases
    data += seen.substr(begin, end - begin);
    if (head.find("m=0") == head.npos) continue;
    sdx::write_file_atomically(file, sdx::from_base64(data));
    pictures.push_back(sdx::decode_image(file).image);
    data.clear();
  }
  return pictures;
}

}  // namespace

TEST_CASE("preview: a file that is whole at any time, and goes at the end") {
  const Workplace place;
  const std::vector<std::string> asked = {"--steps", "60", "-n", "2", "--batch", "2"};
  const RunResult plain = run(command(place, "plain", asked));
  REQUIRE(plain.exit_code == 0);
  for (const std::string by : {"colours", "taesd"}) {
    INFO(by);
    std::vector<std::string> more = asked;
    more.insert(more.end(), {"--preview-every", "1", "--json"});
    if (by == "taesd") more.insert(more.end(), {"--preview-vae", tiny()});
    std::vector<int> widths;
    const RunResult seen =
        run(watched(command(place, by, more), place.path() / by / "preview.png", widths));
    INFO(seen.err);
    REQUIRE(seen.exit_code == 0);
    CHECK(widths == std::vector<int>{128});  // the two of the batch
    CHECK(count_in(seen.err, "Previews, until the pictures are there: " + by + "/preview.png\n") ==
          1);
    CHECK_THAT(seen.out, ContainsSubstring("{\"preview\":\"" + by + "/preview.png\"}\n"));
    CHECK(!fs::exists(place.path() / by / "preview.png"));
    for (const char* name : {"0001-5-a-robot.png", "0002-6-a-robot.png"}) {
      CHECK(sdx::test::read_bytes(place.path() / by / name) ==
            sdx::test::read_bytes(place.path() / "plain" / name));
    }
  }
}

TEST_CASE("preview: a picture that is there stays, and none is made of too few steps") {
  const Workplace place;
  fs::create_directory(place.path() / "out");
  std::ofstream(place.path() / "out/preview.png") << "mine";
  const RunResult result = run(command(place, "out", {"--steps", "3", "--preview-every", "2"}));
  INFO(result.err);
  CHECK(result.exit_code == 0);
  CHECK_THAT(result.err, ContainsSubstring("out/preview-2.png"));
  CHECK(sdx::test::read_bytes(place.path() / "out/preview.png") == "mine");
  CHECK(!fs::exists(place.path() / "out/preview-2.png"));
  // The last step's is the picture itself.
  CHECK_THAT(run(command(place, "few", {"--steps", "2", "--preview-every", "2"})).err,
             !ContainsSubstring("Previews"));
}

TEST_CASE("preview: a terminal that shows pictures gets each in the place of the one before") {
  const Workplace place;
  const auto draw = [&](const std::string& terminal) {
    return run_at_terminal(command(place, terminal, {"--steps", "4", "--preview-every", "1"}),
                           terminal);
  };
  const std::string kitty = draw("xterm-kitty");
  CHECK(count_in(kitty, "\x1b_Ga=T,f=100,q=2,r=10,") == 3);
  CHECK(count_in(kitty, "\x1b[10A\x1b[J\x1b_Ga=d,d=C,q=2\x1b\\\x1b_Ga=T") == 2);
  CHECK_THAT(kitty, !ContainsSubstring("Previews"));
  const std::vector<sdx::Image> pngs = read_kitty_pictures(kitty, place.path() / "sent.png");
  REQUIRE(pngs.size() == 3);
  for (const char* name : {"foot", "mlterm-256color"}) {
    const std::string sixel = draw(name);
    CHECK(count_in(sixel, "\x1b[10A\x1b[J\r\n") == 2);
    CHECK_THAT(sixel, !ContainsSubstring("Previews"));
    std::size_t seen = 0;
    for (std::size_t at = 0; (at = sixel.find("\x1b[10A\x1b"
                                              "7",
                                              at)) != sixel.npos;
         ++seen) {
      const std::size_t begin = at + 7;
      at = sixel.find("\x1b\\", begin) + 2;
      CHECK(sixel.substr(at, 8) ==
            "\x1b"
            "8\x1b[10B\r");
      // As large as ten lines of twelve pixels, and the preview that kitty got.
      const sdx::Image shown = sdx::test::read_sixel(sixel.substr(begin, at - begin));
      CHECK(shown.width_px == 120);
      CHECK(shown.height_px == 120);
      const sdx::Image sent = pngs.at(seen);
      CHECK(sdx::test::largest_difference(resize(shown, 8, 8), resize(sent, 8, 8)) < 12);
    }
    CHECK(seen == 3);
  }
  const std::string plain = draw("xterm");
  CHECK(count_in(plain, "\x1b_G") == 0);
  CHECK(count_in(plain, "Previews, until the pictures are there: xterm/preview.png") == 1);
}

TEST_CASE("preview: several GPUs show those of one, and draw the same") {
  const Workplace place;
  const auto draw = [&](const std::string& folder, const std::string& gpus,
                        std::vector<int>& widths, std::vector<std::string> more) {
    more.insert(more.end(),
                {"--steps", "40", "-n", "4", "--batch", "1", "--threads", "1", "--gpus", gpus});
    return run(watched(sdx::test::with_gpus(command(place, folder, more), "fine,fine"),
                       place.path() / folder / "preview.png", widths));
  };
  std::vector<int> alone;
  std::vector<int> shared;
  REQUIRE(draw("alone", "none", alone, {}).exit_code == 0);
  CHECK(alone.empty());
  const RunResult result = draw("shared", "0,1", shared, {"--preview-every", "2"});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK(count_in(result.err, "Sharing the work among 2 GPUs") == 1);
  CHECK(shared == std::vector<int>{64});
  CHECK(!fs::exists(place.path() / "shared/preview.png"));
  for (const char* name : {"0001-5-a-robot.png", "0004-8-a-robot.png"}) {
    CHECK(sdx::test::read_bytes(place.path() / "shared" / name) ==
          sdx::test::read_bytes(place.path() / "alone" / name));
  }
}

TEST_CASE("preview: bad wishes") {
  const Workplace place;
  RunResult result = run(command(place, "out", {"--preview-vae", tiny()}));
  CHECK(result.exit_code == 64);
  CHECK_THAT(result.err, ContainsSubstring("--preview-vae needs --preview-every"));
  result = run(command(place, "out", {"--preview-every", "-1"}));
  CHECK(result.exit_code == 64);
  result = run(
      command(place, "out",
              {"--preview-every", "1", "--preview-vae", Workplace::model() + "/unet.safetensors"}));
  CHECK(result.exit_code == 65);
  CHECK_THAT(result.err, ContainsSubstring("--preview-vae ") &&
                             ContainsSubstring("no tiny autoencoder (TAESD): "));
}
