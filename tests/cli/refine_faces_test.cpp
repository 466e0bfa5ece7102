// sdx-generate --refine-faces: small faces of the finished picture, made anew one by one.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

#include "sdx/image/decode.h"
#include "sdx/image/metadata.h"
#include "sdx/image/png.h"
#include "sdx/model/identity_network.h"
#include "sdx/model/upscaler.h"
#include "sdx/tensor/noise.h"
#include "sdx/tensor/safetensors.h"
#include "sdx/util/sha256.h"
#include "support/face_scene.h"
#include "support/mini_bundle.h"
#include "support/run.h"
#include "support/skip.h"
#include "support/temp_folder.h"

#include "support/catch.h"

namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;
using sdx::Image;
using sdx::test::kLeftFace;
using sdx::test::kRightFace;
using sdx::test::RunResult;
using Words = std::vector<std::string>;

namespace {

const fs::path kYuNet = fs::path(SDX_SHARED_DATA) / "models" / "face_detection_yunet_2022mar.onnx";

/// A folder with a scene of two people, and two names of the built-in model.
class FacePlace {
 public:
  /// @param detector YuNet's file; empty: the cascade
  explicit FacePlace(fs::path detector = {}) : detector_(std::move(detector)) {
    sdx::write_png(path("scene.png"), sdx::test::two_people());
    fs::create_directory(path("embeddings"));
    std::uint64_t seed = 1;
    for (const char* name : {"Ada", "Ben"}) {
      sdx::RandomStream stream(seed++, sdx::RandomPurpose::kTrainingNoise);
      sdx::write_safetensors(path("embeddings") / (std::string(name) + ".safetensors"),
                             {{"emb_params", sdx::normal_noise({2, 128}, stream)}});
    }
  }

  fs::path path(const std::string& name) const { return folder_.path() / name; }

  RunResult run(Words arguments) const {
    sdx::test::Run command;
    command.tool = "sdx-generate";
    arguments.insert(arguments.end(), {"--model", "mini"});
    command.arguments = std::move(arguments);
    command.folder = folder_.path();
    command.prepare = [detector = detector_.string()] {
      ::setenv("SDX_FACE_DETECTOR", detector.c_str(), 1);
    };
    return sdx::test::run(command);
  }

  /// The pictures of a run.
  std::vector<fs::path> make_all(Words more) {
    const std::string out = "out" + std::to_string(++runs_);
    more.insert(more.end(), {"--out", out});
    const RunResult result = run(more);
    said_ = result.err;
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(path(out))) files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    return files;
  }

  /// The one picture of a run over the scene, which changes little.
  fs::path make(const std::string& prompt, const Words& more) {
    Words arguments = {prompt,   "--sampler", "dpmpp_2m",   "--init-image", "scene.png",
                       "--size", "416x256",   "--strength", "0.05",         "--steps",
                       "10",     "--seed",    "3"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return make_all(arguments).front();
  }
  fs::path refine(const std::string& prompt, const Words& more = {}) {
    Words arguments = {"--refine-faces", "--face-padding", "16"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return make(prompt, arguments);
  }

  const std::string& said() const { return said_; }

  std::string refuse(int exit_code, const Words& more) const {
    Words arguments = {"a man", "--out", "refused", "--steps", "2"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const RunResult result = run(arguments);
    CHECK(result.exit_code == exit_code);
    CHECK((!fs::exists(path("refused")) || fs::is_empty(path("refused"))));
    CHECK_THAT(result.err, !ContainsSubstring("Generating"));
    return result.err;
  }

 private:
  sdx::test::TempFolder folder_;
  fs::path detector_;
  std::string said_;
  int runs_ = 0;
};

std::string text_of(const fs::path& file) { return sdx::read_parameters(file).value(); }

std::string hash_pixels(const Image& image) {
  return sdx::sha256_hex({reinterpret_cast<const char*>(image.rgb.data()), image.rgb.size()});
}
std::string hash_pixels(const fs::path& file) { return hash_pixels(sdx::decode_image(file).image); }

/// The middle of a face, by its hash.
std::string hash_face(const fs::path& file, const sdx::Rect& face) {
  return hash_pixels(
      sdx::crop(sdx::decode_image(file).image,
                {face.x_px + 10, face.y_px + 10, face.width_px - 20, face.height_px - 20}));
}

/// How many bytes differ farther than 30 pixels from the faces.
int count_other_changes(const fs::path& a, const fs::path& b,
                        const std::vector<sdx::Rect>& faces = {kLeftFace, kRightFace}) {
  const Image one = sdx::decode_image(a).image;
  const Image two = sdx::decode_image(b).image;
  REQUIRE(one.rgb.size() == two.rgb.size());
  const auto is_near = [](const sdx::Rect& face, int x, int y) {
    return x > face.x_px - 30 && x < face.x_px + face.width_px + 30 && y > face.y_px - 30 &&
           y < face.y_px + face.height_px + 30;
  };
  int count = 0;
  for (std::size_t i = 0; i < one.rgb.size(); ++i) {
    const int x = static_cast<int>(i / 3) % one.width_px;
    const int y = static_cast<int>(i / 3) / one.width_px;
    const bool is_of_face =
        std::ranges::any_of(faces, [&](const sdx::Rect& face) { return is_near(face, x, y); });
    if (one.rgb[i] != two.rgb[i] && !is_of_face) ++count;
  }
  return count;
}

}  // namespace

TEST_CASE("refine faces: the faces change, all else keeps its bytes, and it is made again") {
  FacePlace place;
  const fs::path base = place.make("a man", {});
  const fs::path refined = place.refine("a man");
  CHECK(hash_face(refined, kLeftFace) != hash_face(base, kLeftFace));
  CHECK(hash_face(refined, kRightFace) != hash_face(base, kRightFace));
  CHECK(count_other_changes(base, refined) == 0);
  CHECK_THAT(text_of(refined),
             ContainsSubstring("Refine faces: True, Face strength: 0.4, Face share: 0.1, Face "
                               "confidence: 0.3, Face padding: 16, Face blur: 4, Face detector: "
                               "Haar cascade, Faces refined: 2, Version:"));
  CHECK_THAT(text_of(base), !ContainsSubstring("Face"));

  const fs::path again =
      place.make_all({"--from-image", refined.string(), "--init-image", "scene.png"}).front();
  const bool is_same = sdx::test::read_bytes(again) == sdx::test::read_bytes(refined);
  CHECK(is_same);
  CHECK_THAT(place.said(), !ContainsSubstring("not taken over"));
  // Each setting is taken from the picture, and can be typed over it.
  const fs::path all = place.refine(
      "a man", {"--face-prompt", "a woman: \"smiling\"", "--face-strength", "0.55", "--face-share",
                "0.08", "--face-blur", "2.5", "--face-confidence", "0.7"});
  const fs::path all_again =
      place.make_all({"--from-image", all.string(), "--init-image", "scene.png"}).front();
  const bool are_same = sdx::test::read_bytes(all_again) == sdx::test::read_bytes(all);
  CHECK(are_same);
  CHECK(hash_face(all, kLeftFace) != hash_face(refined, kLeftFace));
  const fs::path without = place
                               .make_all({"--from-image", all.string(), "--init-image", "scene.png",
                                          "--refine-faces=false", "--face-prompt", ""})
                               .front();
  CHECK(hash_pixels(without) == hash_pixels(base));
}

TEST_CASE("refine faces: each face has its own name, from the left, and its own noise") {
  FacePlace place;
  const fs::path both = place.refine("<Ada> and <Ben>");
  const fs::path ada = place.refine("<Ada> and <Ben>", {"--face-prompt", "<Ada>"});
  const fs::path ben = place.refine("<Ada> and <Ben>", {"--face-prompt", "<Ben>"});
  CHECK(hash_face(both, kLeftFace) == hash_face(ada, kLeftFace));
  CHECK(hash_face(both, kRightFace) != hash_face(ada, kRightFace));
  CHECK(hash_face(both, kRightFace) == hash_face(ben, kRightFace));
  CHECK(hash_face(both, kLeftFace) != hash_face(ben, kLeftFace));
  CHECK_THAT(text_of(ada), ContainsSubstring("Face prompt: <Ada>"));
  // An embedding of the faces alone is named, too.
  const fs::path alone = place.refine("a man", {"--face-prompt", "<Ben>"});
  CHECK_THAT(text_of(alone), ContainsSubstring("TI hashes: \"Ben: "));
}

TEST_CASE("refine faces: what a mask keeps stays, and the picture is enlarged afterwards") {
  FacePlace place;
  Image mask = sdx::test::plain_image(416, 256, {0, 0, 0});
  sdx::test::paste(mask, sdx::test::plain_image(208, 256, {255, 255, 255}), 208, 0);
  sdx::write_png(place.path("mask.png"), mask);
  const fs::path base = place.make("a man", {"--mask", "mask.png"});
  const fs::path refined = place.refine("a man", {"--mask", "mask.png"});
  CHECK_THAT(text_of(refined), ContainsSubstring("Faces refined: 1"));
  CHECK(hash_face(refined, kLeftFace) == hash_face(base, kLeftFace));
  CHECK(hash_face(refined, kLeftFace) == hash_face(place.path("scene.png"), kLeftFace));
  CHECK(hash_face(refined, kRightFace) != hash_face(base, kRightFace));

  const fs::path upscaler = fs::path(SDX_TEST_DATA) / "upscalers" / "x2.pth";
  const fs::path small = place.refine("a man");
  const fs::path large = place.refine("a man", {"--upscale", upscaler.string()});
  const Image expected = sdx::Upscaler(upscaler, c10::Device(c10::DeviceType::CPU))
                             .enlarge(sdx::decode_image(small).image);
  const Image found = sdx::decode_image(large).image;
  REQUIRE(found.rgb.size() == expected.rgb.size());
  int largest = 0;
  for (std::size_t i = 0; i < found.rgb.size(); ++i) {
    largest = std::max(largest, std::abs(found.rgb[i] - expected.rgb[i]));
  }
  CHECK(largest <= 1);
}

TEST_CASE("refine faces: where there is no small face, that is said and the picture is kept") {
  FacePlace place;
  sdx::write_png(place.path("scene.png"), sdx::test::empty_scene(416, 256));
  const fs::path base = place.make("a man", {});
  const fs::path none = place.refine("a man");
  CHECK_THAT(place.said(), ContainsSubstring("Picture 1: no face found (Haar cascade), so it stays "
                                             "as it is\n"));
  CHECK(hash_pixels(none) == hash_pixels(base));
  CHECK_THAT(text_of(none), ContainsSubstring("Faces refined: 0"));
  sdx::write_png(place.path("scene.png"), sdx::test::two_people());
  place.refine("a man", {"--face-share", "0.01"});
  CHECK_THAT(place.said(), ContainsSubstring("Picture 1: none of its 2 faces is to be refined"));
}

TEST_CASE("refine faces: the bar and the previews go on through the faces") {
  FacePlace place;
  place.refine("a man", {"--preview-every", "2"});
  CHECK_THAT(place.said(), ContainsSubstring("Generating 5/5"));
  // Both faces have their share of it: the second one does not run past the end.
  std::istringstream said(place.said());
  for (std::string line; std::getline(said, line);) {
    int done = 0;
    if (std::sscanf(line.c_str(), "Generating %d/5", &done) == 1) CHECK(done <= 5);
  }
  CHECK_THAT(place.said(), ContainsSubstring("preview.png"));
}

TEST_CASE("refine faces: settings that cannot be are refused before the work") {
  const FacePlace place;
  CHECK_THAT(place.refuse(64, {"--face-prompt", "a face"}),
             ContainsSubstring("--face-prompt needs --refine-faces"));
  for (const auto& [option, value] : {std::pair{"--face-strength", "1.1"},
                                      {"--face-strength", "-0.1"},
                                      {"--face-strength", "nan"},
                                      {"--face-share", "2"},
                                      {"--face-confidence", "-1"}}) {
    CHECK_THAT(place.refuse(64, {"--refine-faces", option, value}),
               ContainsSubstring(std::string(option) + ": expected a number from 0 to 1, found"));
  }
  CHECK_THAT(place.refuse(64, {"--refine-faces", "--face-padding", "-1"}),
             ContainsSubstring("--face-padding: expected a whole number from 0 to 65536, found"));
  CHECK_THAT(place.refuse(64, {"--refine-faces", "--face-blur", "-0.5"}),
             ContainsSubstring("--face-blur: expected a number from 0 to 200, found"));
  CHECK_THAT(place.refuse(64, {"--refine-faces", "--face-names", "right"}),
             ContainsSubstring("--face-names: expected left-to-right or likeness"));
  CHECK_THAT(place.refuse(64, {"--refine-faces", "--tile"}),
             ContainsSubstring("--tile and --refine-faces"));
  CHECK_THAT(place.refuse(64, {"--refine-faces", "--face-prompt", "{name} smiling"}),
             ContainsSubstring("--face-prompt: {name}"));
  CHECK_THAT(place.refuse(64, {"--refine-faces", "--face-prompt", "<lora:style:1>"}),
             ContainsSubstring("--face-prompt: \"<lora:style:1>\""));
  CHECK_THAT(place.refuse(64, {"--refine-faces", "--face-prompt", "<Nobody>"}),
             ContainsSubstring("<Nobody>"));
  const FacePlace missing("nowhere.onnx");
  CHECK_THAT(missing.refuse(66, {"--refine-faces"}), ContainsSubstring("nowhere.onnx"));
}

TEST_CASE("refine faces: of cartoons in a batch, each is made again in its place", "[needs-data]") {
  if (!fs::exists(kYuNet)) SDX_SKIP("the face detector in shared/data is not here");
  FacePlace place(kYuNet);
  const std::vector<fs::path> files = place.make_all(
      {"a man and a woman", "--sampler", "dpmpp_2m", "--steps", "12", "--seed", "2", "--count", "3",
       "--refine-faces", "--face-share", "0.3", "--face-padding", "16"});
  REQUIRE(files.size() == 3);
  const std::string text = text_of(files[1]);
  CHECK_THAT(text, ContainsSubstring("Batch size: 3, Batch pos: 1"));
  CHECK_THAT(text, ContainsSubstring("Face detector: YuNet, Faces refined: 2"));
  const fs::path again = place.make_all({"--from-image", files[1].string()}).front();
  const bool is_same = sdx::test::read_bytes(again) == sdx::test::read_bytes(files[1]);
  CHECK(is_same);
  // With another detector the faces may be others.
  const FacePlace other;
  const RunResult replay = other.run({"--from-image", files[1].string()});
  CHECK(replay.exit_code == 0);
  CHECK_THAT(replay.err, ContainsSubstring("its faces were found by YuNet, here the Haar cascade "
                                           "looks for them"));
}

TEST_CASE("refine faces: of real people in a large scene", "[needs-data]") {
  const fs::path photographs = fs::path(SDX_SHARED_DATA) / "portraits" / "lisa";
  if (!fs::exists(kYuNet) || !fs::exists(photographs)) {
    SDX_SKIP("the face detector or the photographs in shared/data are not here");
  }
  FacePlace place(kYuNet);
  Image scene = sdx::test::empty_scene(1024, 640);
  const auto paste = [&](const char* file, int width, int left, int top) {
    const Image photograph = sdx::decode_image(photographs / file).image;
    const int height = photograph.height_px * width / photograph.width_px;
    sdx::test::paste(scene, sdx::resize(photograph, width, height), left, top);
  };
  paste("lisa1.jpg", 90, 120, 200);
  paste("zoom_45cm.jpg", 130, 640, 160);
  sdx::write_png(place.path("scene.png"), scene);
  const Words large = {"a woman", "--sampler", "dpmpp_2m",   "--init-image", "scene.png",
                       "--size",  "1024x640",  "--strength", "0.05",         "--steps",
                       "10",      "--seed",    "3"};
  const auto make = [&](const Words& more) {
    Words arguments = large;
    arguments.insert(arguments.end(), more.begin(), more.end());
    return place.make_all(arguments).front();
  };
  const sdx::Rect one{137, 223, 55, 76};
  const sdx::Rect two{686, 207, 50, 71};
  const fs::path base = make({});
  // In plain areas YuNet sees faces of little confidence.
  const fs::path refined =
      make({"--refine-faces", "--face-padding", "16", "--face-confidence", "0.8"});
  CHECK_THAT(text_of(refined), ContainsSubstring("Face detector: YuNet, Faces refined: 2"));
  CHECK(hash_face(refined, one) != hash_face(base, one));
  CHECK(hash_face(refined, two) != hash_face(base, two));
  CHECK(count_other_changes(base, refined, {one, two}) == 0);
  if (const auto network = sdx::FaceNetwork::load_installed()) {
    for (const sdx::Rect& face : {one, two}) {
      const sdx::Rect square = sdx::portrait_square(face, 1024, 640);
      const auto seen = [&](const fs::path& file) {
        return network->encode(sdx::crop(sdx::decode_image(file).image, square));
      };
      const auto was = network->encode(sdx::crop(scene, square));
      const auto before = seen(base);
      const auto after = seen(refined);
      if (!was || !before || !after) continue;
      // The built-in model draws cartoons, so that the likeness falls: it is only shown.
      WARN("likeness of a face: " << sdx::cosine(*was, *before) << " before, "
                                  << sdx::cosine(*was, *after) << " after");
    }
  }
}
