// Other programs read what ours write. They are Python's, so this runs only where SDX_PYTHON names
// a Python with scripts/parity/requirements.txt, pillow and sd-parsers.

#include <cstdlib>

#include "support/workplace.h"

#include "support/catch.h"

using sdx::test::Workplace;

namespace {

/// The exit status of a script of scripts/parity with files, whose names have no blanks.
int run_script(const Workplace& place, const std::string& script, const std::string& files) {
  const std::string command = "cd " + place.path().string() + " && " + std::getenv("SDX_PYTHON") +
                              " " SDX_SOURCE_DIR "/scripts/parity/" + script + " " + files;
  return std::system(command.c_str());
}

}  // namespace

TEST_CASE("cli: diffusers and torch load our embeddings, sd-parsers reads our pictures") {
  if (std::getenv("SDX_PYTHON") == nullptr) {
    SDX_SKIP("SDX_PYTHON names no Python with diffusers and sd-parsers");
  }
  const Workplace place;
  REQUIRE(place.train("Ada").exit_code == 0);
  std::string words = "embeddings/Ada.safetensors";
  for (const std::string form : {"a1111", "kohya"}) {
    const std::string file = form == "a1111" ? "ada.pt" : "ada-kohya.safetensors";
    REQUIRE(place
                .run("sdx-model", {"embedding", "convert", "embeddings/Ada.safetensors", "--to",
                                   form, "--out", file})
                .exit_code == 0);
    words += " " + file;
  }
  CHECK(run_script(place, "check_embedding.py", words) == 0);
  for (const std::string format : {"png", "jpeg", "webp"}) {
    REQUIRE(place
                .run("sdx-generate", {"<Ada>, (snow:1.2) ·", "--negative", "red, \"hat\"", "--seed",
                                      "7", "--steps", "2", "--schedule", "karras", "--format",
                                      format, "--sidecar", "--out", "pictures"})
                .exit_code == 0);
  }
  CHECK(run_script(place, "check_metadata.py", "pictures/*.png pictures/*.jpg pictures/*.webp") ==
        0);
}
