#pragma once

#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sdx/image/identity.h"
#include "sdx/roster/faces.h"
#include "sdx/util/enum_text.h"

namespace sdx {

/// The faults that a team's portraits can have, concerning whom they show.
enum class FindingKind {
  kUnreadable,     ///< a picture can't be read
  kNoFace,         ///< no face is seen in a picture, but in others of its folder
  kNoFaces,        ///< no face is seen in a folder
  kSeveralPeople,  ///< a folder is not mostly one person
  kWrongFolder,    ///< a picture is more like another member than like the rest of its own folder
  kStray,          ///< a picture shows someone else, who is nobody of the team
  kSamePerson,     ///< two names are one person
};

template <>
inline constexpr std::array kEnumTexts<FindingKind> = {
    EnumText{FindingKind::kUnreadable, "unreadable"},
    EnumText{FindingKind::kNoFace, "no_face"},
    EnumText{FindingKind::kNoFaces, "no_faces"},
    EnumText{FindingKind::kSeveralPeople, "several_people"},
    EnumText{FindingKind::kWrongFolder, "wrong_folder"},
    EnumText{FindingKind::kStray, "stray"},
    EnumText{FindingKind::kSamePerson, "same_person"}};

/// A finding that somebody should look at. Networks err: only the author of the roster knows who is
/// who.
struct Finding {
  FindingKind kind = FindingKind::kUnreadable;
  std::string name;                    ///< whose folder
  std::string other;                   ///< kWrongFolder, kSamePerson: the other member
  std::filesystem::path place;         ///< the picture, or the folder where it is about that
  std::string problem;                 ///< kUnreadable: why
  std::optional<double> own_cosine;    ///< kSeveralPeople, kWrongFolder, kStray
  std::optional<double> other_cosine;  ///< kWrongFolder, kSamePerson
};

/// The finding for people: "<Ada>: ada/05.png shows <Ben>, it seems: cosine 0.97 with …".
std::string describe(const Finding& finding);

/// Compares everybody's faces. All cosines are medians, which a few strays don't move:
///
/// - kSamePerson: of all pairs of a face of the one and a face of the other (`other_cosine`), at
///   least encoder.same_person_cosine(), where both folders are mostly one person.
/// - kWrongFolder: of a face with all faces of the other member (`other_cosine`), at least
///   encoder.same_person_cosine() and above that with the rest of its own folder (`own_cosine`).
///   Members who seem to be the same person as its own are left out: each picture would be of one
///   or the other by chance.
/// - kStray: `own_cosine` is below encoder.same_person_cosine(), and so is that with every other
///   member, in a folder that is mostly one person.
/// - kSeveralPeople: the folder is not mostly one person: half of its faces or more are less like
///   the rest than two pictures of one person are. (By faces, where are_mostly_one_person() counts
///   pairs: of three pictures two are mostly one person, but only one pair of three.) `own_cosine`
///   is that of all its pairs.
///
/// Faces are compared with the other folders' means first, and only with the faces of those that
/// are near: for P people with N pictures in all that is P²/2 + N·P scalar products, for 500 people
/// with 5000 pictures 2.6 million, half a second.
/// @return in the order of members and pictures, those about two members at the first.
std::vector<Finding> who_is_who(const std::vector<MemberFaces>& members,
                                const IdentityEncoder& encoder);

/// How far a face is from a member.
struct Nearness {
  std::string name;
  double distance = 0;          ///< 1 − the median cosine with the member's faces: 0 … 2
  bool is_same_person = false;  ///< that cosine is at least encoder.same_person_cosine()
};

/// Every member with a face, nearest first.
std::vector<Nearness> nearest_people(const std::vector<float>& face,
                                     const std::vector<MemberFaces>& members,
                                     const IdentityEncoder& encoder);

}  // namespace sdx
