#include "generation/refine_faces.h"

#include <cstdlib>

#include "sdx/util/error.h"
#include "support/catch.h"
#include "support/face_scene.h"
#include "support/mini_bundle.h"
#include "support/throws.h"
#include "support/tiny_bundle.h"

using namespace sdx;
using Catch::Matchers::ContainsSubstring;
using test::catch_message;
using test::kLeftFace;
using test::kRightFace;

namespace {

ImageRequest request(const std::string& prompt, const std::string& of_faces = "") {
  ImageRequest result;
  result.prompt = prompt;
  result.negative_prompt = "blurry";
  result.seed = 7;
  result.settings.faces.refine = true;
  result.settings.faces.prompt = of_faces;
  result.settings.faces.padding_px = 16;
  return result;
}

/// A picture, and what was asked for to refine its faces. The first face becomes white, the second
/// one black.
struct Refined {
  Image picture;
  RefinedFaces faces;
  std::vector<ImageRequest> asked;
  std::vector<std::pair<std::size_t, std::size_t>> progress;
};

const FaceRefiner& refiner() {
  static const Bundle bundle = test::mini_bundle();
  static const FaceRefiner one(bundle, c10::Device(c10::DeviceType::CPU));
  return one;
}

Refined refine(const ImageRequest& of, const Image& picture = test::two_people(),
               const Image* kept = nullptr) {
  Refined result{picture, {}, {}, {}};
  result.faces =
      refiner().refine(result.picture, of, {}, "Picture 1", kept,
                       [&](const ImageRequest& one, std::size_t done, std::size_t total) {
                         const int grey = result.asked.empty() ? 255 : 0;
                         result.asked.push_back(one);
                         result.progress.emplace_back(done, total);
                         return test::plain_image(128, 128, {grey, grey, grey});
                       });
  return result;
}

std::vector<std::string> prompts(const Refined& refined) {
  std::vector<std::string> texts;
  for (const ImageRequest& one : refined.asked) texts.push_back(one.prompt);
  return texts;
}

test::Colour middle(const Image& image, const Rect& face) {
  return test::colour_at(image, face.x_px + face.width_px / 2, face.y_px + face.height_px / 2);
}

/// Whether something changed that is not within 30 pixels of a face.
bool has_changed_elsewhere(const Image& before, const Image& after) {
  const auto is_near = [](const Rect& face, int x, int y) {
    return x > face.x_px - 30 && x < face.x_px + face.width_px + 30 && y > face.y_px - 30 &&
           y < face.y_px + face.height_px + 30;
  };
  for (std::size_t i = 0; i < before.rgb.size(); ++i) {
    const int x = static_cast<int>(i / 3) % before.width_px;
    const int y = static_cast<int>(i / 3) / before.width_px;
    if (before.rgb[i] != after.rgb[i] && !is_near(kLeftFace, x, y) && !is_near(kRightFace, x, y)) {
      return true;
    }
  }
  return false;
}

}  // namespace

TEST_CASE("refine faces: each face is made anew under its own name, from the left") {
  const Image before = test::two_people();
  const Refined refined = refine(request("<Ada> and <Ben> in the snow"));
  CHECK(prompts(refined) == std::vector<std::string>{"<Ada> in the snow", "<Ben> in the snow"});
  CHECK(refined.faces.count == 2);
  CHECK(refined.faces.detector == "Haar cascade");
  REQUIRE(refined.progress.size() == 2);
  CHECK(refined.progress[0] == std::pair<std::size_t, std::size_t>(0, 2));
  CHECK(refined.progress[1] == std::pair<std::size_t, std::size_t>(1, 2));
  CHECK(middle(refined.picture, kLeftFace).red == 255);
  CHECK(middle(refined.picture, kRightFace).red == 0);
  CHECK_FALSE(has_changed_elsewhere(before, refined.picture));
  for (std::size_t i = 0; i < 2; ++i) {
    const ImageRequest& one = refined.asked[i];
    CHECK(one.negative_prompt == "blurry");
    CHECK(one.seed == derive_face_seed(7, i));
    CHECK(one.settings.width_px == 128);
    CHECK(one.settings.height_px == 128);
    CHECK(one.settings.strength == 0.4);
    CHECK_FALSE(one.settings.faces.refine);
    CHECK(one.settings.start->image.width_px == 128);
    CHECK(one.settings.start->mask->width_px == 128);
  }
}

TEST_CASE("refine faces: a prompt of their own, with and without their names") {
  using Texts = std::vector<std::string>;
  const auto texts = [](const std::string& prompt, const std::string& of_faces) {
    return prompts(refine(request(prompt, of_faces)));
  };
  CHECK(texts("<Ada> and <Ben> in the snow", "photo of {name}, <Sharp>, {name}") ==
        Texts{"photo of <Ada>, <Sharp>, <Ada>", "photo of <Ben>, <Sharp>, <Ben>"});
  CHECK(texts("two people", "<Ben> and <Ada>, a face") == Texts{"<Ben>, a face", "<Ada>, a face"});
  CHECK(texts("<Ada> and <Ben>", "a face") == Texts{"a face", "a face"});
  CHECK(texts("<Ada> twice", "{name}!") == Texts{"<Ada>!", "<Ada>!"});
  CHECK(texts("two people", "") == Texts{"two people", "two people"});
  // A third name, for which there is no face.
  CHECK(texts("<Ada>, <Ben> and <Cleo>", "") == Texts{"<Ada>", "<Ben>"});
}

TEST_CASE("refine faces: large faces, and those beyond the model's size, stay") {
  const Image before = test::two_people();
  ImageRequest asked = request("two people");
  asked.settings.faces.share = 0.01;  // each takes 0.023
  const Refined large = refine(asked);
  CHECK(large.faces.count == 0);
  CHECK(large.asked.empty());
  CHECK(large.picture.rgb == before.rgb);
  asked.settings.faces.share = 0.05;
  CHECK(refine(asked).faces.count == 2);
  asked.settings.faces.padding_px = 60;  // 170 pixels: it would be made smaller, not larger
  CHECK(refine(asked).faces.count == 0);
}

TEST_CASE("refine faces: where none is found, the picture stays as it is") {
  const Image before = test::empty_scene(300, 200);
  const Refined refined = refine(request("nobody"), before);
  CHECK(refined.faces.count == 0);
  CHECK(refined.faces.detector == "Haar cascade");
  CHECK(refined.picture.rgb == before.rgb);
}

TEST_CASE("refine faces: what a mask keeps is not made anew") {
  Image kept = test::plain_image(416, 256, {255, 255, 255});
  test::paste(kept, test::plain_image(208, 256, {0, 0, 0}), 0, 0);
  const Refined refined = refine(request("<Ada> and <Ben>"), test::two_people(), &kept);
  CHECK(prompts(refined) == std::vector<std::string>{"<Ben>"});
  CHECK(refined.asked.front().seed == derive_face_seed(7, 1));
  const Image before = test::two_people();
  for (int y = 0; y < 256; ++y) {
    for (int x = 0; x < 208; ++x) {
      const test::Colour now = test::colour_at(refined.picture, x, y);
      const test::Colour then = test::colour_at(before, x, y);
      if (now.red != then.red || now.green != then.green) FAIL(x << "," << y);
    }
  }
}

TEST_CASE("refine faces: by likeness, each gets the name whose picture it resembles") {
  // The person at the right is blue.
  Image scene = test::two_people();
  for (int y = 0; y < 256; ++y) {
    for (int x = 208; x < 416; ++x) {
      const test::Colour was = test::colour_at(scene, x, y);
      test::set_colour(scene, x, y, {was.red / 4, was.green / 2, 255});
    }
  }
  const auto portrait = [&](const Rect& face) {
    return crop(scene, portrait_square(face, scene.width_px, scene.height_px));
  };
  ImageRequest asked = request("<Ada> and <Ben>");
  asked.settings.faces.names = FaceNames::kLikeness;
  int alone = 0;
  const auto names_of = [&] {
    std::vector<std::string> named;
    Image picture = scene;
    refiner().refine(picture, asked, {}, "Picture 1", nullptr,
                     [&](const ImageRequest& one, std::size_t, std::size_t) {
                       if (one.settings.start) {
                         named.push_back(one.prompt);
                         return test::plain_image(128, 128, {9, 9, 9});
                       }
                       ++alone;
                       return portrait(one.prompt == "<Ada>" ? kRightFace : kLeftFace);
                     });
    return named;
  };
  CHECK(names_of() == std::vector<std::string>{"<Ben>", "<Ada>"});
  CHECK(alone == 2);
  CHECK(names_of() == std::vector<std::string>{"<Ben>", "<Ada>"});
  CHECK(alone == 2);  // looked at once
}

TEST_CASE("refine faces: what cannot be is refused before the work") {
  CHECK(refiner().check(request("<Ada>", "{name}"), {}).front().prompt == "<Ada>");
  const std::string nobody = catch_message<UsageError>(
      [] { refiner().check(request("two people", "a photo of {name}"), {}); });
  CHECK_THAT(nobody, ContainsSubstring("`face-prompt`: {name}") &&
                         ContainsSubstring("\"two people\" has none"));
  if (!FaceNetwork::is_built_in()) {
    const FaceRefiner tiny(test::tiny_bundle(), c10::Device(c10::DeviceType::CPU));
    ImageRequest asked = request("<Ada> and <Ben>");
    asked.settings.faces.names = FaceNames::kLikeness;
    const std::string unlike =
        catch_message<UnavailableError>([&] { tiny.check(asked, EmbeddingSizes()); });
    CHECK_THAT(unlike, ContainsSubstring("`face-names`: nothing here tells people apart") &&
                           ContainsSubstring("tiny"));
  }
}

TEST_CASE("refine faces: a face's pass has the settings of its picture, but for its frame") {
  const BundleInfo& info = test::mini_bundle().info();
  ImageSettings picture;
  picture.sampler.steps = 9;
  picture.guidance_scale = 4;
  picture.clip_skip = 2;
  picture.vae_approx = "taesd";
  picture.hires = {2, 0.3, 4};
  picture.upscale = "x4";
  picture.width_px = 640;
  picture.height_px = 400;
  picture.place = {{100, 100}, 5, 5, {200, 200}};
  picture.faces.refine = true;
  picture.faces.strength = 0.25;
  const auto part =
      std::make_shared<StartImage>(StartImage{test::plain_image(100, 50, {1, 2, 3}), std::nullopt});
  const ImageSettings face = make_face_settings(picture, info, part);
  ImageSettings expected = picture;
  expected.hires = {};
  expected.upscale.clear();
  expected.place = {};
  expected.faces = {};
  expected.strength = 0.25;
  expected.width_px = 176;
  expected.height_px = 88;
  expected.start = face.start;
  CHECK(face == expected);
  CHECK(face.start->image.width_px == 176);
  CHECK(face.start->image.height_px == 88);
  CHECK(face.start->image.rgb.front() == 1);
}
