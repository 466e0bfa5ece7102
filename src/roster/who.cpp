#include "sdx/roster/who.h"

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <utility>

#include "sdx/embedding/embedding.h"

namespace sdx {

namespace {

struct SeenFace {
  const ImageFace* image = nullptr;
  double own_cosine = 1;  ///< the median with the rest of the folder, if it is not the only one
};

struct Folder {
  const MemberFaces* member = nullptr;
  std::vector<SeenFace> faces;
  bool is_one_person = false;
  std::vector<float> mean;           ///< of those who are like the rest
  std::vector<std::size_t> doubles;  ///< folders of the same person
};

double median_with(const std::vector<float>& face, const std::vector<SeenFace>& others) {
  std::vector<double> cosines;
  for (const SeenFace& other : others) cosines.push_back(cosine(face, other.image->face));
  return median(std::move(cosines));
}

double median_of_pairs(const std::vector<SeenFace>& faces) {
  std::vector<double> cosines;
  for (std::size_t i = 0; i < faces.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      cosines.push_back(cosine(faces[i].image->face, faces[j].image->face));
    }
  }
  return median(std::move(cosines));
}

double median_between(const Folder& a, const Folder& b) {
  std::vector<double> cosines;
  for (const SeenFace& one : a.faces) {
    for (const SeenFace& other : b.faces) {
      cosines.push_back(cosine(one.image->face, other.image->face));
    }
  }
  return median(std::move(cosines));
}

Folder describe_folder(const MemberFaces& member, const IdentityEncoder& encoder) {
  Folder folder;
  folder.member = &member;
  for (const ImageFace& image : member.images) {
    if (!image.face.empty()) folder.faces.push_back({&image});
  }
  std::vector<std::vector<float>> alike;
  for (SeenFace& face : folder.faces) {
    std::vector<SeenFace> rest = folder.faces;
    std::erase_if(rest, [&](const SeenFace& one) { return one.image == face.image; });
    if (!rest.empty()) face.own_cosine = median_with(face.image->face, rest);
    if (face.own_cosine >= encoder.same_person_cosine()) alike.push_back(face.image->face);
  }
  folder.is_one_person = 2 * alike.size() > folder.faces.size();
  folder.mean = unit_mean(alike);
  return folder;
}

/// The most similar other member, if it is similar enough for one person.
std::optional<std::pair<std::size_t, double>> nearest_other(const std::vector<Folder>& team,
                                                            std::size_t own, const SeenFace& face,
                                                            const IdentityEncoder& encoder) {
  const std::vector<std::size_t>& doubles = team[own].doubles;
  std::optional<std::pair<std::size_t, double>> nearest;
  for (std::size_t i = 0; i < team.size(); ++i) {
    if (i == own || !team[i].is_one_person) continue;
    if (cosine(face.image->face, team[i].mean) < encoder.same_person_cosine()) continue;
    if (std::find(doubles.begin(), doubles.end(), i) != doubles.end()) continue;
    const double similarity = median_with(face.image->face, team[i].faces);
    if (similarity < encoder.same_person_cosine()) continue;
    if (!nearest || similarity > nearest->second) nearest = {i, similarity};
  }
  return nearest;
}

void find_in_images(const std::vector<Folder>& team, std::size_t own,
                    const IdentityEncoder& encoder, std::vector<Finding>& findings) {
  const Folder& folder = team[own];
  auto seen = folder.faces.begin();
  for (const ImageFace& image : folder.member->images) {
    Finding finding{FindingKind::kUnreadable,
                    folder.member->name,
                    {},
                    image.file,
                    image.problem,
                    std::nullopt,
                    std::nullopt};
    if (!image.problem.empty()) {
      findings.push_back(finding);
      continue;
    }
    if (image.face.empty()) {
      finding.kind = FindingKind::kNoFace;
      if (!folder.faces.empty()) findings.push_back(finding);
      continue;
    }
    const SeenFace& face = *seen++;
    finding.own_cosine = face.own_cosine;
    const auto other = nearest_other(team, own, face, encoder);
    if (other && other->second > face.own_cosine) {
      finding.kind = FindingKind::kWrongFolder;
      finding.other = team[other->first].member->name;
      finding.other_cosine = other->second;
      findings.push_back(finding);
    } else if (!other && folder.is_one_person && face.own_cosine < encoder.same_person_cosine()) {
      finding.kind = FindingKind::kStray;
      findings.push_back(finding);
    }
  }
}

void find_in_folder(const Folder& folder, std::vector<Finding>& findings) {
  Finding finding;
  finding.name = folder.member->name;
  finding.place = folder.member->folder;
  if (folder.faces.empty()) {
    finding.kind = FindingKind::kNoFaces;
    findings.push_back(finding);
  } else if (!folder.is_one_person) {
    finding.kind = FindingKind::kSeveralPeople;
    finding.own_cosine = median_of_pairs(folder.faces);
    findings.push_back(finding);
  }
}

/// Notes who is the same person, and returns the similarities with the later ones.
std::vector<Finding> find_doubles(std::vector<Folder>& team, std::size_t first,
                                  const IdentityEncoder& encoder) {
  std::vector<Finding> findings;
  Folder& one = team[first];
  for (std::size_t i = first + 1; i < team.size(); ++i) {
    Folder& other = team[i];
    if (!one.is_one_person || !other.is_one_person) continue;
    if (cosine(one.mean, other.mean) < encoder.same_person_cosine()) continue;
    const double similarity = median_between(one, other);
    if (similarity < encoder.same_person_cosine()) continue;
    one.doubles.push_back(i);
    other.doubles.push_back(first);
    findings.push_back({FindingKind::kSamePerson,
                        one.member->name,
                        other.member->name,
                        one.member->folder,
                        {},
                        std::nullopt,
                        similarity});
  }
  return findings;
}

std::string number(const std::optional<double>& cosine) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", cosine.value_or(0));
  return text;
}

}  // namespace

std::string describe(const Finding& finding) {
  const std::string whose = placeholder(finding.name);
  const std::string place = whose + ": " + finding.place.string();
  const std::string other = placeholder(finding.other);
  switch (finding.kind) {
    case FindingKind::kUnreadable:
      return place + ": " + finding.problem;
    case FindingKind::kNoFace:
      return place + ": no face is seen in it";
    case FindingKind::kNoFaces:
      return place + ": no face is seen in any picture of this folder";
    case FindingKind::kSeveralPeople:
      return place + " is not mostly one person: cosine " + number(finding.own_cosine) +
             " between its faces";
    case FindingKind::kWrongFolder:
      return place + " shows " + other + ", it seems: cosine " + number(finding.other_cosine) +
             " with that folder, " + number(finding.own_cosine) + " with the rest of its own";
    case FindingKind::kStray:
      return place + " shows someone else, who is nobody of the team: cosine " +
             number(finding.own_cosine) + " with the rest of its folder";
    case FindingKind::kSamePerson:
      return whose + " and " + other + " are one person, it seems: cosine " +
             number(finding.other_cosine) + " between their folders";
  }
  return "";
}

std::vector<Finding> who_is_who(const std::vector<MemberFaces>& members,
                                const IdentityEncoder& encoder) {
  std::vector<Folder> team;
  for (const MemberFaces& member : members) team.push_back(describe_folder(member, encoder));
  std::vector<std::vector<Finding>> doubles;
  for (std::size_t i = 0; i < team.size(); ++i) doubles.push_back(find_doubles(team, i, encoder));
  std::vector<Finding> findings;
  for (std::size_t i = 0; i < team.size(); ++i) {
    find_in_folder(team[i], findings);
    find_in_images(team, i, encoder, findings);
    findings.insert(findings.end(), doubles[i].begin(), doubles[i].end());
  }
  return findings;
}

std::vector<Nearness> nearest_people(const std::vector<float>& face,
                                     const std::vector<MemberFaces>& members,
                                     const IdentityEncoder& encoder) {
  std::vector<Nearness> people;
  for (const MemberFaces& member : members) {
    std::vector<double> cosines;
    for (const auto& one : member.faces()) cosines.push_back(cosine(face, one));
    if (cosines.empty()) continue;
    const double similarity = median(std::move(cosines));
    people.push_back({member.name, 1 - similarity, similarity >= encoder.same_person_cosine()});
  }
  std::stable_sort(people.begin(), people.end(),
                   [](const Nearness& a, const Nearness& b) { return a.distance < b.distance; });
  return people;
}

}  // namespace sdx
