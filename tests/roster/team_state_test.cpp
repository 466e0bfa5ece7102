#include "sdx/roster/team_state.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>

#include <ATen/ops/ones.h>

#include "sdx/embedding/embedding_writer.h"
#include "sdx/util/json.h"
#include "sdx/util/sha256.h"
#include "support/temp_folder.h"
#include "support/throws.h"
#include "support/tiny_bundle.h"

#include "support/catch.h"

using sdx::test::TempFolder;
using sdx::test::tiny_bundle;
namespace fs = std::filesystem;

namespace {

/// A team whose members are trained, as its files say.
class Team {
 public:
  explicit Team(int people) {
    plan.folder.root = folder.path() / "team";
    fs::create_directories(plan.folder.embeddings());
    fs::create_directory(folder.path() / "faces");
    folder.file("faces/1.png", "a face");
    for (int i = 0; i < people; ++i) add("Ada" + std::to_string(i));
  }

  const std::string& name(std::size_t i) const { return plan.members[i].training.inversion.name; }

  TempFolder folder;
  sdx::TeamPlan plan;

 private:
  void add(const std::string& name) {
    sdx::TeamMember member;
    member.training.portraits = folder.path() / "faces";
    member.training.inversion.name = name;
    sdx::ImageRequest request;
    request.prompt = "<" + name + ">, snow";
    member.images = {request};
    const fs::path file = plan.folder.embedding(name);
    sdx::write_embedding(file,
                         {name, at::ones({1, tiny_bundle().info().text_widths().front()}), {}, {}});
    fs::create_directories(plan.folder.person(name));
    sdx::MemberRecord record;
    record.identity = sdx::identify_training(member.training, tiny_bundle(),
                                             sdx::hash_of_portraits(member.training.portraits));
    record.embedding_hash = sdx::sha256_of_file(file);
    sdx::write_record(plan.folder.person(name), record);
    plan.members.push_back(std::move(member));
  }
};

/// Counts how often the files of a folder are opened.
class OpenCounter {
 public:
  explicit OpenCounter(const fs::path& folder) {
    ::inotify_add_watch(watcher_, folder.c_str(), IN_OPEN);
  }
  ~OpenCounter() { ::close(watcher_); }
  OpenCounter(const OpenCounter&) = delete;
  OpenCounter& operator=(const OpenCounter&) = delete;

  std::map<std::string, int> counts() const {
    std::map<std::string, int> counts;
    alignas(inotify_event) std::array<char, 64 * 1024> events;
    const ssize_t size = ::read(watcher_, events.data(), events.size());
    for (ssize_t at = 0; at < size;) {
      const auto* event = reinterpret_cast<const inotify_event*>(events.data() + at);
      if (event->len > 0) ++counts[event->name];
      at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
    }
    return counts;
  }

 private:
  int watcher_ = ::inotify_init1(IN_NONBLOCK);
};

/// The most often that a file of an embedding is opened to say how far a team is.
int most_opens(int people) {
  const Team team(people);
  const OpenCounter counter(team.plan.folder.embeddings());
  const sdx::TeamStatus status(team.plan, tiny_bundle());
  for (const sdx::TeamMember& member : team.plan.members) status.examine(member);
  int most = 0;
  const auto counts = counter.counts();
  REQUIRE(counts.size() == static_cast<std::size_t>(people));
  for (const auto& [file, count] : counts) most = std::max(most, count);
  return most;
}

}  // namespace

TEST_CASE("team state: who is trained, who is not, and why") {
  const Team team(3);
  fs::remove_all(team.plan.folder.person(team.name(1)));
  sdx::TeamPlan plan = team.plan;
  plan.members[2].training.inversion.seed = 7;
  const sdx::TeamStatus status(plan, tiny_bundle());
  const auto why = [&](std::size_t i) {
    return status.examine(plan.members[i]).why_train.value_or("");
  };
  CHECK(why(0).empty());
  CHECK(why(1) == "is new");
  CHECK(why(2) == "`seed`: it had 0, found 7");
  const sdx::MemberState state = status.examine(plan.members[0]);
  CHECK(state.name == "Ada0");
  CHECK_FALSE(state.is_locked);
  CHECK(state.images == 0);
  CHECK(state.images_planned == 1);
  CHECK_FALSE(state.is_done());
}

TEST_CASE("team state: each person's files are read as often in a large team as in a small one") {
  CHECK(most_opens(2) == most_opens(12));
}

TEST_CASE("team state: a record of a later version is an error") {
  const Team team(1);
  const fs::path file = team.plan.folder.person(team.name(0)) / "record.json";
  sdx::Json json = sdx::read_json_file(file);
  json["identity"]["version"] = 99;
  team.folder.file("team/people/Ada0/record.json", json.dump());
  const sdx::TeamStatus status(team.plan, tiny_bundle());
  CHECK_THROWS_AS(status.examine(team.plan.members[0]), sdx::LaterVersionError);
}
