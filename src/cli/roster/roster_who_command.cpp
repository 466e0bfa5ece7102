#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cli/roster/roster_actions.h"
#include "cli/roster/roster_reporter.h"
#include "sdx/cli/progress.h"
#include "sdx/cli/tool.h"
#include "sdx/image/decode.h"
#include "sdx/image/format.h"
#include "sdx/model/identity_network.h"
#include "sdx/roster/consent.h"
#include "sdx/roster/team_options.h"
#include "sdx/roster/who.h"
#include "sdx/training/training_options.h"
#include "sdx/util/error.h"
#include "sdx/util/stop.h"
#include "sdx/util/text.h"
#include "sdx/util/units.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kNearestShown = 5;

struct WhoOptions {
  std::string team;  ///< the team's folder, or its roster
  std::string photo;
  FaceOptions faces;
  CommonOptions common;
};

void add_options(CommandLine& line, const SettingsTable<WhoOptions>& table, WhoOptions& options) {
  line.add(table, options);
  line.add(face_settings(), options.faces);
  add_common_options(line, options.common);
}

/// Where a team's folder was named: its roster, and its model unless another one was asked for.
void take_from_team(const CommandLine& line, WhoOptions& options) {
  if (!fs::is_directory(options.team)) return;
  TeamOptions team;
  ModelOptions model;
  read_team_options(options.team, team, model);
  options.team = team.roster;
  if (!line.given("model")) options.common.model = model.model;
}

/// The people of a roster whose faces may be looked at, and the rows that can't be.
struct People {
  std::vector<Member> members;
  std::vector<RosterProblem> problems;
};

/// Objects and styles are left out.
People list_people(const Roster& roster) {
  People people{{}, roster.problems};
  for (const Member& member : roster.members) {
    if (member.kind != SubjectKind::kPerson) continue;
    const auto refusal =
        roster.records_consent ? why_refused(member.consent, today()) : std::nullopt;
    if (refusal) {
      people.problems.push_back({describe_place(roster.path, member.line), member.name,
                                 refusal->code, refusal->text + ": not looked at"});
    } else if (auto problem = check_portraits(member, roster.path)) {
      people.problems.push_back(std::move(*problem));
    } else {
      people.members.push_back(member);
    }
  }
  return people;
}

/// What looks at faces on this machine. Made once, since TeamFaces refers to it.
struct Detectors {
  Bundle bundle;
  Identities identities;
  std::optional<FaceFinder> finder;

  explicit Detectors(const WhoOptions& options)
      : bundle(open_model(options.common)),
        identities(Identities::load_installed(bundle, compute_target(options.common).device,
                                              options.faces.network)),
        finder(FaceFinder::installed(options.faces.detector, bundle.folder())) {}

  const FaceFinder* faces() const { return finder ? &*finder : nullptr; }

  /// "dlib's face network (one person: cosine 0.91 or more)"
  std::string find_name(const IdentityEncoder& encoder) const {
    const bool is_own = &encoder == identities.own.get();
    return std::string(is_own ? "the model's own network, which knows its cartoons only"
                              : "dlib's face network") +
           " (one person: cosine " + fixed_number(encoder.same_person_cosine(), 2) + " or more)";
  }
};

/// @throws UnavailableError if no network here knows these faces.
TeamFaces find_faces_of_people(const People& people, const Detectors& detectors,
                               const WhoOptions& options) {
  if (people.members.empty()) {
    throw DataError(options.team + ": has nobody whose pictures can be looked at");
  }
  std::optional<ProgressBar> bar;
  const auto progress = [&](int done, int total) {
    if (stop_signal() != 0) {
      bar.reset();
      throw Error(static_cast<ExitCode>(128 + stop_signal()), "stopped; nothing was kept");
    }
    if (done == 0) bar.emplace("Looking at faces", total, options.common.quiet);
    bar->update(done);
  };
  TeamFaces team =
      find_faces_of_team(people.members, detectors.identities.all(), detectors.faces(), progress);
  bar.reset();
  if (!team.is_known && !detectors.identities.photographs) {
    throw UnavailableError(
        options.team + ": no network here knows the faces in most folders" +
        (team.encoder != nullptr ? ", the model's own knows its cartoons only" : "") +
        ". Photographs need the face network of dlib: " + FaceNetwork::how_to_install());
  }
  return team;
}

Json to_json(const Finding& finding) {
  Json json = {{"finding", to_string(finding.kind)},
               {"person", finding.name},
               {"place", finding.place.string()},
               {"text", describe(finding)}};
  if (!finding.other.empty()) json["other"] = finding.other;
  if (finding.own_cosine) json["own_cosine"] = *finding.own_cosine;
  if (finding.other_cosine) json["other_cosine"] = *finding.other_cosine;
  return json;
}

Image read_photo(const std::string& photo) {
  try {
    return decode_image(photo).image;
  } catch (const DataError& error) {
    throw DataError(photo + ": " + error.what());
  }
}

/// Says so if there are several.
void count_faces(const Image& image, const std::string& photo, const Detectors& detectors) {
  const std::size_t faces = detectors.finder ? detectors.finder->find(image).size() : 0;
  if (faces < 2) return;
  say(photo + ": " + std::to_string(faces) + " faces; the largest one is compared");
}

void check(const WhoOptions& options) {
  const CommonOptions& common = options.common;
  const People people = list_people(read_roster(options.team));
  show_problems(people.problems, common);
  const Detectors detectors(options);
  const TeamFaces team = find_faces_of_people(people, detectors, options);
  const std::vector<Finding> findings = who_is_who(team.members, *team.encoder);
  std::size_t images = 0;
  for (const MemberFaces& member : team.members) images += member.images.size();
  for (const Finding& finding : findings) {
    say_json(common, to_json(finding));
    if (!common.json) std::puts(describe(finding).c_str());
  }
  say(count_in_words(team.members.size(), "person", "people") + ", " +
      count_in_words(images, "picture", "pictures") + ", seen by " +
      detectors.find_name(*team.encoder));
  if (findings.empty() && people.problems.empty()) return;
  throw DataError(options.team + ": " + count_in_words(findings.size(), "finding", "findings") +
                  (people.problems.empty()
                       ? ""
                       : ", and " + count_in_words(people.problems.size(), "row", "rows") +
                             " that cannot be used"));
}

void show_nearest(const WhoOptions& options) {
  const CommonOptions& common = options.common;
  const std::string& photo = options.photo;
  const Image image = read_photo(photo);
  const People people = list_people(read_roster(options.team));
  show_problems(people.problems, common);
  const Detectors detectors(options);
  count_faces(image, photo, detectors);
  const TeamFaces team = find_faces_of_people(people, detectors, options);
  const auto face = face_in(image, *team.encoder, detectors.faces());
  if (!face) throw DataError(photo + ": no face is seen in it");
  std::vector<Nearness> nearest = nearest_people(*face, team.members, *team.encoder);
  nearest.resize(std::min(nearest.size(), kNearestShown));
  for (const Nearness& one : nearest) {
    say_json(
        common,
        {{"person", one.name}, {"distance", one.distance}, {"same_person", one.is_same_person}});
    if (common.json) continue;
    std::puts((placeholder(one.name) + ": " + fixed_number(one.distance, 2) + ", " +
               (one.is_same_person ? "the same person" : "someone else"))
                  .c_str());
  }
  say("Distances are 1 - cosine, by " + detectors.find_name(*team.encoder));
}

}  // namespace

std::function<void()> define_roster_check(CommandLine& line) {
  static const SettingsTable<WhoOptions> kTable = [] {
    SettingsTable<WhoOptions> table;
    table.group("Input");
    table.add("roster", &WhoOptions::team, "CSV or JSON; or the folder of a team")
        .names(SettingValue::kFile)
        .positional()
        .required();
    return table;
  }();
  auto options = std::make_shared<WhoOptions>();
  add_options(line, kTable, *options);
  return [options, &line] {
    take_from_team(line, *options);
    check(*options);
  };
}

std::function<void()> define_roster_who(CommandLine& line) {
  static const SettingsTable<WhoOptions> kTable = [] {
    SettingsTable<WhoOptions> table;
    table.group("Input");
    table
        .add("photo", &WhoOptions::photo,
             describe_readable_formats() + "; of several faces the largest counts")
        .names(SettingValue::kFile)
        .positional()
        .required();
    table.add("team", &WhoOptions::team, "Folder of the team, or its roster")
        .names(SettingValue::kFile)
        .required();
    return table;
  }();
  auto options = std::make_shared<WhoOptions>();
  add_options(line, kTable, *options);
  return [options, &line] {
    take_from_team(line, *options);
    show_nearest(*options);
  };
}

}  // namespace sdx
