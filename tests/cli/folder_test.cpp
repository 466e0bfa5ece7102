// What sdx-train says about a folder of pictures, and how its options change what is learnt from.

#include <fstream>
#include <map>
#include <sstream>

#include "sdx/image/face_network.h"
#include "sdx/util/json.h"
#include "support/image_files.h"
#include "support/refused.h"
#include "support/workplace.h"

#include "support/catch.h"

namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;
using sdx::test::check_refused;
using sdx::test::RunResult;
using sdx::test::Workplace;

namespace {

/// The lines of --json about files, by their names.
std::map<std::string, sdx::Json> read_table(const RunResult& result) {
  std::map<std::string, sdx::Json> files;
  std::istringstream stream(result.out);
  for (std::string line; std::getline(stream, line);) {
    const sdx::Json json = sdx::Json::parse(line);
    if (json.contains("file")) files[json["file"]] = json;
  }
  return files;
}

}  // namespace

TEST_CASE("cli: the table of the folder says what is made of each file") {
  const Workplace place;
  const auto jpeg = [](int orientation) {
    return sdx::test::jpeg_bytes(sdx::test::busy_image(120, 96), {.orientation = orientation});
  };
  std::ofstream(place.path() / "faces/turned.jpg") << jpeg(6);
  fs::copy(place.path() / "faces/0.png", place.path() / "faces/copy.png");
  const RunResult result = place.train("Ada", {"--json"});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK_THAT(result.err, ContainsSubstring("verdict"));
  CHECK_THAT(result.err, ContainsSubstring("used, whole"));
  CHECK_THAT(result.err, ContainsSubstring("used, 96 px from the middle"));
  CHECK_THAT(result.err, ContainsSubstring("skipped: the same picture as 0.png"));
  CHECK_THAT(result.err, ContainsSubstring("4 of 5 files used"));
  const auto files = read_table(result);
  REQUIRE(files.size() == 5);
  CHECK(files.at("turned.jpg")["turned_degrees"] == 90);
  CHECK(files.at("turned.jpg")["height_px"] == 120);
  CHECK(files.at("turned.jpg")["crop"] == "center");
  CHECK(files.at("turned.jpg")["face"].is_null());
  CHECK(files.at("turned.jpg")["sharpness"] > 0);
  CHECK(files.at("copy.png")["used"] == false);
  CHECK(files.at("0.png")["stray"] == false);
}

TEST_CASE("cli: options about the folder that cannot be") {
  const Workplace place;
  check_refused(place.train("Ada", {"--crop", "middle"}), 64, {"--crop", "face, center or none"});
  check_refused(place.train("Ada", {"--face", "first"}), 64,
                {"--face", "largest, center or match"});
  check_refused(place.train("Ada", {"--mask", "hair"}), 64, {"--mask", "none or face"});
  check_refused(place.train("Ada", {"--kind", "animal"}), 64, {"person, object or style"});
  check_refused(place.train("Ada", {"--templates", "absent.txt"}), 66, {"absent.txt"});
  std::ofstream(place.path() / "own.txt") << "{name}\na photo\n";
  check_refused(place.train("Ada", {"--templates", "own.txt"}), 65, {"own.txt:2", "{name}"});
  check_refused(place.train("Ada", {"--face-detector", "absent.onnx"}), 66, {"absent.onnx"});
  std::ofstream(place.path() / "text.onnx") << "a text";
  check_refused(place.train("Ada", {"--face-detector", "text.onnx"}), 65, {"text.onnx", "YuNet"});
  if (sdx::FaceNetwork::is_built_in()) {
    check_refused(place.train("Ada", {"--face-network", "absent"}), 66, {"absent"});
  } else {
    check_refused(place.train("Ada", {"--face-network", "absent"}), 69,
                  {"--face-network absent", "libdlib-dev", "-DSDX_WITH_DLIB=ON"});
  }
  std::ofstream(place.path() / "faces/text.jpg") << "a text";
  check_refused(place.train("Ada", {"--strict"}), 65, {"faces/text.jpg: "});
  CHECK_FALSE(fs::exists(place.path() / "embeddings/Ada.safetensors"));
}

TEST_CASE("cli: --crop, --kind, --mirror and own templates are taken") {
  const Workplace place;
  sdx::write_png(place.path() / "faces/wide.png", sdx::test::busy_image(192, 96));
  const auto crop_of_wide = [&](std::vector<std::string> options) {
    options.push_back("--json");
    options.push_back("--force");
    const RunResult result = place.train("Ada", options);
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
    return read_table(result).at("wide.png")["crop"].get<std::string>();
  };
  CHECK(crop_of_wide({"--crop", "none"}) == "none");
  CHECK(crop_of_wide({"--kind", "style", "--mirror"}) == "center");
  std::ofstream(place.path() / "own.txt") << "{name} at sea\n";
  CHECK(crop_of_wide({"--templates", "own.txt", "--mask", "face"}) == "center");
}

TEST_CASE("cli: a second run takes the latents from the first and needs no VAE") {
  const Workplace place;
  sdx::test::Run command = place.command(
      "sdx-train", {"faces", "--name", "Ada", "--steps", "1", "--batch", "1", "--force"});
  const fs::path model = place.path() / "model";
  fs::copy(command.arguments.back(), model, fs::copy_options::recursive);
  command.arguments.back() = model;
  REQUIRE(sdx::test::run(command).exit_code == 0);
  const fs::path cache = place.path() / "runs/Ada/latents.safetensors";
  const std::string first = sdx::test::read_bytes(place.path() / "embeddings/Ada.safetensors");
  REQUIRE(fs::exists(cache));
  fs::rename(model / "vae_encoder.ts", model / "away.ts");
  const RunResult second = sdx::test::run(command);
  INFO(second.err);
  CHECK(second.exit_code == 0);
  CHECK(sdx::test::read_bytes(place.path() / "embeddings/Ada.safetensors") == first);
  fs::resize_file(cache, fs::file_size(cache) / 2);
  CHECK(sdx::test::run(command).exit_code != 0);
  fs::rename(model / "away.ts", model / "vae_encoder.ts");
  const RunResult third = sdx::test::run(command);
  CHECK(third.exit_code == 0);
  CHECK_THAT(third.err, ContainsSubstring("Encoded again: "));
  CHECK(sdx::test::read_bytes(place.path() / "embeddings/Ada.safetensors") == first);
}

TEST_CASE("cli: YuNet finds the face in eight photographs of eight, the cascade in seven",
          "[needs-data]") {
  const fs::path shared = SDX_SHARED_DATA;
  const fs::path yunet = shared / "models/face_detection_yunet_2022mar.onnx";
  if (!fs::exists(shared / "portraits/lisa") || !fs::exists(yunet)) {
    SDX_SKIP("the photographs and the face detector in shared/data are not here");
  }
  const Workplace place;
  const auto faces_found = [&](std::vector<std::string> more) {
    std::vector<std::string> arguments = {(shared / "portraits/lisa").string(),
                                          "--name",
                                          "Lisa",
                                          "--steps",
                                          "1",
                                          "--batch",
                                          "1",
                                          "--json",
                                          "--force"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const RunResult result = place.run("sdx-train", arguments);
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
    int found = 0;
    for (const auto& [file, json] : read_table(result)) found += json["faces"] >= 1 ? 1 : 0;
    return found;
  };
  CHECK(faces_found({"--face-detector", yunet.string()}) == 8);
  CHECK(faces_found({}) >= 7);
}
