#include "sdx/roster/who.h"

#include <cmath>
#include <numbers>

#include "support/catch.h"

using namespace sdx;

namespace {

/// Two faces within 26 degrees are one person.
class InThePlane : public IdentityEncoder {
 public:
  std::optional<std::vector<float>> encode(const Image&) const override { return std::nullopt; }
  double same_person_cosine() const override { return 0.9; }
};

std::vector<float> at_degrees(double degrees) {
  const double angle = degrees * std::numbers::pi / 180;
  return {static_cast<float>(std::cos(angle)), static_cast<float>(std::sin(angle))};
}

constexpr double kNoFace = 1000;

/// Pictures 0.png, 1.png, … whose faces are directions in the plane.
MemberFaces member(const std::string& name, const std::vector<double>& degrees) {
  MemberFaces faces{name, "faces/" + name, {}};
  for (std::size_t i = 0; i < degrees.size(); ++i) {
    ImageFace image{faces.folder / (std::to_string(i) + ".png"), {}, {}};
    if (degrees[i] != kNoFace) image.face = at_degrees(degrees[i]);
    faces.images.push_back(image);
  }
  return faces;
}

std::vector<std::string> sentences(const std::vector<MemberFaces>& team) {
  std::vector<std::string> all;
  for (const Finding& finding : who_is_who(team, InThePlane())) all.push_back(describe(finding));
  return all;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("who: nothing is found in a team in order", "[roster]") {
  CHECK(sentences({}).empty());
  CHECK(sentences({member("Ada", {0, 2, 4}), member("Ben", {90, 92, 94}), member("Cleo", {180})})
            .empty());
}

TEST_CASE("who: a picture in another one's folder is told, with both cosines", "[roster]") {
  const auto findings =
      who_is_who({member("Ada", {0, 2, 90, 4}), member("Ben", {88, 90, 91})}, InThePlane());
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].kind == FindingKind::kWrongFolder);
  CHECK(findings[0].name == "Ada");
  CHECK(findings[0].other == "Ben");
  CHECK(findings[0].place == "faces/Ada/2.png");
  CHECK(std::abs(*findings[0].other_cosine - std::cos(std::numbers::pi / 180)) < 1e-6);
  CHECK(std::abs(*findings[0].own_cosine - std::cos(88 * std::numbers::pi / 180)) < 1e-6);
  CHECK(describe(findings[0]) ==
        "<Ada>: faces/Ada/2.png shows <Ben>, it seems: cosine 1.00 with that folder, 0.03 with the "
        "rest of its own");
}

TEST_CASE("who: of several likely ones the nearest is named", "[roster]") {
  CHECK(sentences({member("Ada", {0, 2, 4, 90}), member("Ben", {70, 71, 72}),
                   member("Cleo", {99, 100, 101})}) ==
        Lines{"<Ada>: faces/Ada/3.png shows <Cleo>, it seems: cosine 0.98 with that folder, 0.03 "
              "with the rest of its own"});
}

TEST_CASE("who: a picture stays where it is nearer, though another one is near", "[roster]") {
  CHECK(sentences({member("Ada", {0, 10, 20}), member("Ben", {40, 45, 50})}).empty());
}

TEST_CASE("who: a folder's strays make nobody else's pictures theirs", "[roster]") {
  // Ada's picture in Ben's folder must not draw her own ones there.
  CHECK(sentences({member("Ada", {0, 2, 4}), member("Ben", {90, 91, 92, 1})}) ==
        Lines{"<Ben>: faces/Ben/3.png shows <Ada>, it seems: cosine 1.00 with that folder, 0.00 "
              "with the rest of its own"});
}

TEST_CASE("who: someone else who is nobody of the team is a stray", "[roster]") {
  const std::vector<MemberFaces> team = {member("Ada", {0, 180, 4}), member("Ben", {90, 91, 92})};
  const auto findings = who_is_who(team, InThePlane());
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].kind == FindingKind::kStray);
  CHECK_FALSE(findings[0].other_cosine);
  CHECK(describe(findings[0]) ==
        "<Ada>: faces/Ada/1.png shows someone else, who is nobody of the team: cosine -1.00 with "
        "the rest of its folder");
}

TEST_CASE("who: a folder of several people is told as such, and whose pictures are there",
          "[roster]") {
  CHECK(sentences({member("Ada", {0, 2, 120, 122}), member("Ben", {60, 0})}) ==
        Lines{"<Ada>: faces/Ada is not mostly one person: cosine -0.47 between its faces",
              "<Ben>: faces/Ben is not mostly one person: cosine 0.50 between its faces"});
  CHECK(sentences({member("Ada", {0, 2, 120, 122}), member("Ben", {120, 121, 122})}) ==
        Lines{"<Ada>: faces/Ada is not mostly one person: cosine -0.47 between its faces",
              "<Ada>: faces/Ada/2.png shows <Ben>, it seems: cosine 1.00 with that folder, -0.47 "
              "with the rest of its own",
              "<Ada>: faces/Ada/3.png shows <Ben>, it seems: cosine 1.00 with that folder, -0.50 "
              "with the rest of its own"});
}

TEST_CASE("who: one person under two names is told once, and not by each picture", "[roster]") {
  const auto findings = who_is_who(
      {member("Ada", {0, 2, 10, 180}), member("Ben", {90, 91}), member("Adele", {3, 9, 11})},
      InThePlane());
  REQUIRE(findings.size() == 2);
  CHECK(findings[0].kind == FindingKind::kStray);
  CHECK(findings[1].kind == FindingKind::kSamePerson);
  CHECK(findings[1].place == "faces/Ada");
  CHECK(std::abs(*findings[1].other_cosine - std::cos(7 * std::numbers::pi / 180)) < 1e-6);
  CHECK(describe(findings[1]) ==
        "<Ada> and <Adele> are one person, it seems: cosine 0.99 between their folders");
}

TEST_CASE("who: the only face of a folder may be another's", "[roster]") {
  CHECK(sentences({member("Ada", {1}), member("Ben", {0, 2, 4})}) ==
        Lines{"<Ada> and <Ben> are one person, it seems: cosine 1.00 between their folders"});
}

TEST_CASE("who: pictures and folders without a face, and unreadable ones, are told", "[roster]") {
  MemberFaces ben = member("Ben", {90, 91, kNoFace, 92});
  ben.images[0].face.clear();
  ben.images[0].problem = "truncated";
  CHECK(sentences({member("Ada", {kNoFace, kNoFace}), ben, member("Cleo", {})}) ==
        Lines{"<Ada>: faces/Ada: no face is seen in any picture of this folder",
              "<Ben>: faces/Ben/0.png: truncated", "<Ben>: faces/Ben/2.png: no face is seen in it",
              "<Cleo>: faces/Cleo: no face is seen in any picture of this folder"});
}

TEST_CASE("who: each kind of finding has a name of its own", "[roster]") {
  CHECK(to_string(FindingKind::kUnreadable) == "unreadable");
  CHECK(to_string(FindingKind::kNoFace) == "no_face");
  CHECK(to_string(FindingKind::kNoFaces) == "no_faces");
  CHECK(to_string(FindingKind::kSeveralPeople) == "several_people");
  CHECK(to_string(FindingKind::kWrongFolder) == "wrong_folder");
  CHECK(to_string(FindingKind::kStray) == "stray");
  CHECK(to_string(FindingKind::kSamePerson) == "same_person");
}

TEST_CASE("who: people are ranked by their median distance", "[roster]") {
  // Cleo's stray is the nearest face of all.
  const auto people =
      nearest_people(at_degrees(0),
                     {member("Ada", {60, 61, 180}), member("Nobody", {kNoFace}),
                      member("Ben", {20, kNoFace, 21, 22}), member("Cleo", {90, 0, 91})},
                     InThePlane());
  REQUIRE(people.size() == 3);
  CHECK(people[0].name == "Ben");
  CHECK(people[0].is_same_person);
  CHECK(std::abs(people[0].distance - (1 - std::cos(21 * std::numbers::pi / 180))) < 1e-6);
  CHECK(people[1].name == "Ada");
  CHECK_FALSE(people[1].is_same_person);
  CHECK(people[2].name == "Cleo");
  CHECK(std::abs(people[2].distance - 1) < 1e-6);
  CHECK(nearest_people(at_degrees(0), {}, InThePlane()).empty());
}
