// sdx-generate on several GPUs, which the processor plays.

#include <algorithm>
#include <csignal>
#include <fstream>
#include <map>
#include <thread>

#include "sdx/image/png.h"
#include "sdx/util/text.h"
#include "support/image_files.h"
#include "support/played_gpus.h"
#include "support/team_place.h"

#include "support/catch.h"

using Catch::Matchers::ContainsSubstring;
using sdx::test::count_in;
using sdx::test::differences;
using sdx::test::is_running;
using sdx::test::read_bytes;
using sdx::test::Run;
using sdx::test::RunResult;
using sdx::test::wait_for_children;
using sdx::test::with_gpus;
using sdx::test::Workplace;
namespace fs = std::filesystem;

namespace {

/// A workplace with an embedding, and prompts of all sorts.
class PromptPlace : public Workplace {
 public:
  PromptPlace() {
    if (train("Ada").exit_code != 0) throw std::runtime_error("sdx-train");
    sdx::write_png(path() / "start.png", sdx::test::busy_image(70, 50));
    sdx::Image mask(64, 64);
    std::fill(mask.rgb.begin(), mask.rgb.begin() + 6000, std::uint8_t{255});
    sdx::write_png(path() / "mask.png", mask);
    std::ofstream(path() / "prompts.txt")
        << "<Ada> in {snow|rain|a \"hat\"}\n"
           "--prompt \"[a man:<Ada>:0.4] grün\" --steps 3 --sampler euler_a --cfg 3.3\n"
           "--prompt \"<Ada>\" --init-image start.png --mask mask.png --strength 0.61\n"
           "--prompt \"<Ada>\" --init-image start.png --strength 0.7 --seed 3\n"
           "--prompt \"a robot\" --variation-seed 18446744073709551615 "
           "--variation-strength 0.1 --sigmas 14.6,7,2.3,0.5\n"
           "--prompt \"a robot AND snow :0.6\" --hires 1.5 --tile --size 64x32\n";
  }

  Run command(const std::string& folder, const std::string& gpus,
              std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments = {"--prompts", "prompts.txt", "-n",      "3",
                                          "--steps",   "4",           "--batch", "2",
                                          "--threads", "1",           "--out",   folder};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return with_gpus(Workplace::command("sdx-generate", arguments), gpus);
  }

  std::map<std::string, std::string> read_folder(const std::string& folder) const {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::directory_iterator(path() / folder)) {
      files[entry.path().filename()] = read_bytes(entry.path());
    }
    return files;
  }
};

constexpr int kPictures = 6 * 3;

/// A whole one: what is being written has another name.
bool holds_a_picture(const fs::path& folder) {
  if (!fs::exists(folder)) return false;
  return std::any_of(fs::directory_iterator(folder), {}, [](const fs::directory_entry& entry) {
    return entry.path().extension() == ".png";
  });
}

}  // namespace

TEST_CASE("generate on GPUs: the same pictures, names and texts whatever the split") {
  const PromptPlace place;
  const auto make = [&](const std::string& folder, const std::string& gpus,
                        std::vector<std::string> also) {
    also.insert(also.end(), {"--seed", "7", "--sidecar", "--grid"});
    return run(place.command(folder, gpus, also));
  };
  const RunResult alone = make("alone", "fine,fine,fine", {"--gpus", "none"});
  INFO(alone.err);
  REQUIRE(alone.exit_code == 0);
  const auto expected = place.read_folder("alone");
  CHECK(expected.size() == 2 * kPictures + 1);
  CHECK(count_in(alone.err, "Sharing") == 0);
  for (const char* gpus : {"0,1", "all", "2,0"}) {
    const std::string folder = std::string("on ") + gpus;
    const RunResult shared = make(folder, "fine,fine,fine", {"--gpus", gpus});
    INFO(shared.err);
    REQUIRE(shared.exit_code == 0);
    CHECK(count_in(shared.err, "Sharing the work among") == 1);
    CHECK(differences(place.read_folder(folder), expected) == std::vector<std::string>{});
    CHECK(sdx::replace_all(shared.out, folder, "alone") == alone.out);
  }
}

TEST_CASE("generate on GPUs: seeds by chance are drawn once, for all processes") {
  const PromptPlace place;
  const RunResult shared = run(place.command("pictures", "fine,fine"));
  INFO(shared.err);
  REQUIRE(shared.exit_code == 0);
  CHECK_THAT(shared.err, ContainsSubstring("Sharing the work among 2 GPUs"));
  const auto files = place.read_folder("pictures");
  CHECK(files.size() == kPictures);
  const std::string first = files.begin()->first;  // 0001-<seed>-…
  const std::string seed = first.substr(5, first.find('-', 5) - 5);
  REQUIRE(run(place.command("again", "", {"--seed", seed})).exit_code == 0);
  CHECK(differences(place.read_folder("again"), files) == std::vector<std::string>{});
}

TEST_CASE("generate on GPUs: a process is killed, the other makes what it had") {
  const PromptPlace place;
  REQUIRE(run(place.command("alone", "", {"--seed", "7"})).exit_code == 0);
  Run command = place.command("shared", "fine,fine", {"--seed", "7"});
  command.meanwhile = [&](pid_t parent) {
    // One is held until the other has begun: so both make pictures.
    const std::vector<pid_t> children = wait_for_children(parent, 2);
    if (children.size() < 2) return;
    ::kill(children[0], SIGSTOP);
    const fs::path folder = place.path() / "shared";
    while (is_running(parent) && !holds_a_picture(folder)) {
      std::this_thread::yield();
    }
    ::kill(children[1], SIGKILL);
    ::kill(children[0], SIGCONT);
  };
  const RunResult shared = run(command);
  INFO(shared.err);
  CHECK(shared.exit_code == 0);
  CHECK_THAT(shared.err, ContainsSubstring("GPU 1: its process was killed by signal 9 (Killed)"));
  CHECK(differences(place.read_folder("shared"), place.read_folder("alone")) ==
        std::vector<std::string>{});
}

TEST_CASE("generate on GPUs: one or all of them out of order") {
  const PromptPlace place;
  REQUIRE(run(place.command("alone", "", {"--seed", "7"})).exit_code == 0);
  const auto expected = place.read_folder("alone");
  for (const char* gpus : {"fine,out of order", "out of order,fine", "out of order,worn out"}) {
    const std::string folder = gpus;
    const RunResult shared = run(place.command(folder, gpus, {"--seed", "7"}));
    INFO(shared.err);
    CHECK(shared.exit_code == 0);
    CHECK_THAT(shared.err, ContainsSubstring(": its process ended with exit code 69: --device "
                                             "cuda:") &&
                               ContainsSubstring("it cannot compute (out of order)"));
    CHECK(differences(place.read_folder(folder), expected) == std::vector<std::string>{});
  }
  const RunResult asked = run(place.command("none", "out of order,worn out", {"--device", "cuda"}));
  CHECK(asked.exit_code == 69);
}

TEST_CASE("generate on GPUs: Ctrl-C ends all, and what is made is kept") {
  const PromptPlace place;
  std::vector<pid_t> children;
  Run command = place.command("pictures", "fine,fine", {"--seed", "7"});
  command.meanwhile = [&](pid_t parent) {
    children = wait_for_children(parent, 2);
    const fs::path folder = place.path() / "pictures";
    while (is_running(parent) && !holds_a_picture(folder)) {
      std::this_thread::yield();
    }
    ::kill(parent, SIGTERM);
  };
  const RunResult stopped = run(command);
  INFO(stopped.err);
  CHECK(stopped.exit_code == 143);
  const std::size_t made = place.read_folder("pictures").size();
  CHECK(made >= 1);
  CHECK_THAT(stopped.err, ContainsSubstring("stopped; " + std::to_string(made) + " of " +
                                            std::to_string(kPictures) + " pictures are in"));
  CHECK(count_in(stopped.err, "its process") == 0);
  for (const pid_t child : children) CHECK_FALSE(sdx::test::is_alive(child));
}

TEST_CASE("generate on GPUs: a fault of what is asked for is said once") {
  const PromptPlace place;
  const auto refused = [&](std::vector<std::string> more, int code, const std::string& why) {
    const RunResult result = run(place.command("pictures", "fine,fine", std::move(more)));
    INFO(result.err);
    CHECK(result.exit_code == code);
    CHECK(count_in(result.err, why) == 1);
    CHECK(count_in(result.err, "its process") == 0);
    CHECK_FALSE(fs::exists(place.path() / "pictures"));
  };
  refused({"--size", "60x60"}, 64,
          "sdx-generate: error: --size 60x60: both sides must be divisible by 8");
  refused({"--gpus", "5"}, 69, "--gpus 5: there is no GPU 5 here");
  refused({"--gpus", "1,1"}, 64, "--gpus: expected all, none, or numbers");
  refused({"--gpus", "0,1", "--device", "cpu"}, 64, "--gpus 0,1 and --device cpu contradict");
  refused({"--gpus", "0,1", "--latents", "x.safetensors"}, 64,
          "--gpus 0,1: pictures that begin with --latents are made on one");
}

TEST_CASE("generate on GPUs: a picture's settings are shared out as well") {
  const PromptPlace place;
  REQUIRE(run(place.command("first", "", {"--seed", "7"})).exit_code == 0);
  const auto first = place.read_folder("first");
  const std::string source = (place.path() / "first" / first.begin()->first).string();
  const auto again = [&](const std::string& folder, const std::string& gpus) {
    Run command = with_gpus(
        place.Workplace::command(
            "sdx-generate", {"--from-image", source, "--seed", "+1", "-n", "6", "--out", folder,
                             "--threads", "1", "--gpus", gpus, "--save-latents", folder + ".st"}),
        "fine,fine");
    return run(command);
  };
  const RunResult alone = again("alone", "none");
  INFO(alone.err);
  REQUIRE(alone.exit_code == 0);
  const RunResult shared = again("shared", "all");
  INFO(shared.err);
  REQUIRE(shared.exit_code == 0);
  CHECK_THAT(shared.err, ContainsSubstring("Sharing the work among 2 GPUs"));
  CHECK(place.read_folder("alone").size() == 6);
  CHECK(read_bytes(place.path() / "shared.st") == read_bytes(place.path() / "alone.st"));
  CHECK(differences(place.read_folder("shared"), place.read_folder("alone")) ==
        std::vector<std::string>{});
}
