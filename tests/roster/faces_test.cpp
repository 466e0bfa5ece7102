#include "sdx/roster/faces.h"

#include <sys/stat.h>

#include <cmath>
#include <numbers>
#include <stdexcept>
#include <utility>

#include "sdx/image/decode.h"
#include "sdx/image/png.h"
#include "sdx/image/transform.h"
#include "sdx/util/error.h"
#include "support/image_files.h"
#include "support/mini_bundle.h"
#include "support/temp_folder.h"
#include "support/throws.h"

#include "support/catch.h"

using namespace sdx;
using namespace sdx::test;

namespace fs = std::filesystem;

namespace {

/// Sees the person in the red of a picture's first pixel: a direction in the plane, in degrees; 255
/// is no face. Two within 26 degrees are one person.
class ByRed : public IdentityEncoder {
 public:
  std::optional<std::vector<float>> encode(const Image& image) const override {
    ++looks;
    if (image.rgb[0] == 255) return std::nullopt;
    const double angle = image.rgb[0] * std::numbers::pi / 180;
    return std::vector<float>{static_cast<float>(std::cos(angle)),
                              static_cast<float>(std::sin(angle))};
  }
  double same_person_cosine() const override { return 0.9; }
  mutable int looks = 0;
};

class Blind : public IdentityEncoder {
 public:
  std::optional<std::vector<float>> encode(const Image&) const override { return std::nullopt; }
  double same_person_cosine() const override { return 0.9; }
};

/// Sees a face in small pictures only, as if it had to fill a part of them.
class NearSighted : public IdentityEncoder {
 public:
  std::optional<std::vector<float>> encode(const Image& image) const override {
    sizes.emplace_back(image.width_px, image.height_px);
    if (image.width_px > 400) return std::nullopt;
    return std::vector<float>{1};
  }
  double same_person_cosine() const override { return 0.9; }
  mutable std::vector<std::pair<int, int>> sizes;
};

/// A member whose pictures 0.png, 1.png, … have these reds.
Member member(const TempFolder& place, const std::string& name, const std::vector<int>& reds) {
  Member one;
  one.name = name;
  one.portraits = place.file(name);
  fs::create_directory(one.portraits);
  for (std::size_t i = 0; i < reds.size(); ++i) {
    write_png(one.portraits / (std::to_string(i) + ".png"), plain_image(8, 8, {reds[i], 0, 0}));
  }
  return one;
}

void no_progress(int, int) {}

/// The picture on the right of a grey one.
Image place_in_wide_image(const Image& image) {
  Image wide = plain_image(600, 300, {120, 120, 120});
  for (int y = 0; y < image.height_px; ++y) {
    for (int x = 0; x < image.width_px; ++x) {
      set_colour(wide, 300 + x, 20 + y, colour_at(image, x, y));
    }
  }
  return wide;
}

}  // namespace

TEST_CASE("faces: the first encoder that knows most folders looks at the team", "[roster]") {
  const TempFolder place;
  const std::vector<Member> team = {member(place, "Ada", {0, 1, 2}),
                                    member(place, "Ben", {90, 255, 91}),
                                    member(place, "Cleo", {0, 60, 120}),
                                    member(place, "Dan", {30})};  // one picture tells nothing
  const Blind blind;
  const ByRed sees;
  std::vector<std::pair<int, int>> progress;
  const TeamFaces faces =
      find_faces_of_team(team, {&blind, &sees}, nullptr,
                         [&](int done, int total) { progress.emplace_back(done, total); });
  CHECK(faces.encoder == &sees);
  CHECK(faces.is_known);
  REQUIRE(faces.members.size() == 4);
  CHECK(faces.members[1].name == "Ben");
  CHECK(faces.members[1].folder == team[1].portraits);
  REQUIRE(faces.members[1].images.size() == 3);
  CHECK(faces.members[1].images[0].file == team[1].portraits / "0.png");
  CHECK(faces.members[1].images[1].face.empty());
  CHECK(faces.members[1].images[1].problem.empty());
  CHECK(faces.members[1].faces().size() == 2);
  REQUIRE(progress.size() == 22);
  CHECK(progress[0] == std::pair(0, 10));
  CHECK(progress[10] == std::pair(10, 10));
  CHECK(progress[11] == std::pair(0, 10));
}

TEST_CASE("faces: where the first encoder knows the faces, no other one is asked", "[roster]") {
  const TempFolder place;
  const ByRed first;
  const ByRed second;
  const TeamFaces faces = find_faces_of_team({member(place, "Ada", {0, 1, 2})}, {&first, &second},
                                             nullptr, no_progress);
  CHECK(faces.encoder == &first);
  CHECK(second.looks == 0);
}

TEST_CASE("faces: where nobody is known, the first encoder's view stays", "[roster]") {
  const TempFolder place;
  const ByRed first;
  const Blind second;
  const auto make_view = [&](const std::vector<Member>& team) {
    const TeamFaces faces = find_faces_of_team(team, {&first, &second}, nullptr, no_progress);
    CHECK(faces.encoder == &first);
    CHECK(faces.members.at(0).images.at(0).face.empty() == false);
    return faces.is_known;
  };
  CHECK_FALSE(make_view({member(place, "Ada", {0, 60, 120})}));
  CHECK_FALSE(make_view({member(place, "Ben", {0, 255, 255, 1})}));  // half of the pictures
  CHECK_FALSE(make_view({member(place, "Cleo", {0, 1}), member(place, "Dan", {0, 90})}));
  const TeamFaces nobody =
      find_faces_of_team({member(place, "Eve", {0})}, {}, nullptr, no_progress);
  CHECK(nobody.encoder == nullptr);
  CHECK_FALSE(nobody.is_known);
}

TEST_CASE("faces: an encoder to which many folders are one person does not know them", "[roster]") {
  const TempFolder place;
  const ByRed sees;
  const auto is_known = [&](const std::vector<int>& reds) {
    std::vector<Member> team;
    for (const int red : reds) {
      static int number = 0;
      team.push_back(member(place, "Ada" + std::to_string(++number), {red, red + 1, red + 2}));
    }
    return find_faces_of_team(team, {&sees}, nullptr, no_progress).is_known;
  };
  CHECK(is_known({0, 10}));  // one pair of one
  CHECK(is_known({0, 10, 90}));
  CHECK_FALSE(is_known({0, 10, 20}));
  CHECK(is_known({0, 10, 60, 90, 110}));       // two pairs of ten
  CHECK_FALSE(is_known({0, 10, 20, 60, 90}));  // three of ten
}

TEST_CASE("faces: what is no picture is passed over, what can't be read says why", "[roster]") {
  const TempFolder place;
  const Member ada = member(place, "Ada", {0, 1, 2});
  const std::string whole = read_bytes(ada.portraits / "0.png");
  place.file("Ada/a.png", whole.substr(0, whole.size() / 2));
  place.file("Ada/notes.txt", "a text");
  place.file("Ada/.hidden.png", whole);
  fs::create_directory(place.file("Ada/more.png"));
  fs::create_symlink("nowhere", place.file("Ada/b.png"));
  REQUIRE(::mkfifo(place.file("Ada/c.png").c_str(), 0600) == 0);
  const ByRed sees;
  const TeamFaces faces = find_faces_of_team({ada}, {&sees}, nullptr, no_progress);
  CHECK(faces.is_known);
  const std::vector<ImageFace>& images = faces.members.at(0).images;
  REQUIRE(images.size() == 6);
  CHECK(images[3].file == ada.portraits / "a.png");
  CHECK(contains(images[3].problem, "truncated"));
  CHECK(contains(images[4].problem, "No such file"));
  CHECK_FALSE(images[5].problem.empty());
}

TEST_CASE("faces: a folder that can't be read is an error", "[roster]") {
  const TempFolder place;
  Member ada;
  ada.portraits = place.file("nowhere");
  const ByRed sees;
  CHECK_THROWS_AS(find_faces_of_team({ada}, {&sees}, nullptr, no_progress), MissingInputError);
}

TEST_CASE("faces: what progress throws ends the look", "[roster]") {
  const TempFolder place;
  const ByRed sees;
  CHECK_THROWS_AS(find_faces_of_team({member(place, "Ada", {0, 1, 2})}, {&sees}, nullptr,
                                     [](int done, int) {
                                       if (done == 1) throw std::runtime_error("stopped");
                                     }),
                  std::runtime_error);
  CHECK(sees.looks == 1);
}

TEST_CASE("faces: a face that is small in the picture is looked at closely", "[roster]") {
  const fs::path cascade =
      fs::path(SDX_SHARE_DIR) / "haarcascades/haarcascade_frontalface_default.xml";
  if (!fs::exists(cascade)) SDX_SKIP("no Haar cascade is installed");
  const FaceFinder finder = FaceFinder::cascade(cascade);
  // Not every drawing is a face to the cascade.
  Image face;
  Image wide;
  for (const auto& entry : fs::recursive_directory_iterator(demo_folder())) {
    if (!entry.is_regular_file()) continue;
    face = resize(decode_image(entry.path()).image, 256, 256);
    wide = place_in_wide_image(face);
    if (!finder.find(wide).empty()) break;
  }
  REQUIRE_FALSE(finder.find(wide).empty());
  const NearSighted encoder;
  CHECK_FALSE(face_in(wide, encoder, nullptr));
  CHECK_FALSE(face_in(plain_image(600, 300, {120, 120, 120}), encoder, &finder));
  encoder.sizes.clear();
  CHECK(face_in(wide, encoder, &finder));
  REQUIRE(encoder.sizes.size() == 2);
  CHECK(encoder.sizes[0] == std::pair(600, 300));
  CHECK(encoder.sizes[1].first == encoder.sizes[1].second);
  encoder.sizes.clear();
  CHECK(face_in(face, encoder, &finder));
  CHECK(encoder.sizes.size() == 1);
}
