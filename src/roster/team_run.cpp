#include "sdx/roster/team_run.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <deque>
#include <map>
#include <thread>

#include "roster/member_training.h"
#include "roster/team_gallery.h"
#include "sdx/embedding/embedding_reader.h"
#include "sdx/generation/embedding_names.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "sdx/util/json.h"
#include "sdx/util/lock.h"
#include "sdx/util/name.h"
#include "sdx/util/stopwatch.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

constexpr std::chrono::milliseconds kLockPollInterval{500};
constexpr std::chrono::seconds kBetweenGalleries{60};

std::vector<std::string> list_names(const TeamPlan& plan) {
  std::vector<std::string> names;
  for (const TeamMember& member : plan.members) names.push_back(member.training.inversion.name);
  return names;
}

std::vector<std::string> list_prompts(const TeamPlan& plan) {
  std::vector<std::string> prompts;
  for (const TeamMember& member : plan.members) {
    for (const ImageRequest& request : member.images) prompts.push_back(request.prompt);
  }
  for (const ImageRequest& request : plan.group_images) prompts.push_back(request.prompt);
  return prompts;
}

std::set<std::string> list_whose_portraits_show(const TeamPlan& plan) {
  std::set<std::string> names;
  for (const TeamMember& member : plan.members) {
    if (member.shows_portrait) names.insert(member.training.inversion.name);
  }
  return names;
}

/// What the gallery says of a person.
std::string write_note(const MemberOutcome& outcome) {
  if (outcome.failure) return outcome.failure->text;
  if (!outcome.training || !outcome.training->likeness) return "";
  char text[64];
  std::snprintf(text, sizeof text, "likeness %.2f", outcome.training->likeness->after);
  return text;
}

/// Thrown between two steps of a sampler.
struct Stopped {};

class TeamRun : private ImageObserver {
 public:
  TeamRun(const TeamPlan& plan, const LoadedModel& model, TeamObserver& observer)
      : plan_(plan),
        model_(model),
        observer_(observer),
        gallery_(plan.folder, plan.title, list_names(plan), list_prompts(plan)) {
    prepare_output_folder(plan.folder.embeddings());
    prepare_output_folder(plan.folder.people());
    prepare_output_folder(plan.folder.images());
    outcome_.title = plan.title;
    gallery_.show_portraits(list_whose_portraits_show(plan));
    for (const TeamMember& member : plan.members) {
      MemberOutcome outcome;
      outcome.name = member.training.inversion.name;
      outcome.images_planned = static_cast<int>(member.images.size());
      outcome_.members.push_back(std::move(outcome));
    }
  }

  TeamOutcome run() {
    all_members();
    if (!outcome_.was_stopped && !plan_.is_part) images_of_several();
    count_images();
    finish();
    return std::move(outcome_);
  }

 private:
  /// A member whose lock is held.
  struct ClaimedMember {
    std::size_t index;
    std::unique_ptr<FileLock> lock;
  };

  const TeamMember& member(const ClaimedMember& claim) const { return plan_.members[claim.index]; }
  MemberOutcome& outcome(const ClaimedMember& claim) { return outcome_.members[claim.index]; }
  static const std::string& find_name(const TeamMember& member) {
    return member.training.inversion.name;
  }

  bool stop_requested() {
    if (observer_.stop_requested()) outcome_.was_stopped = true;
    return outcome_.was_stopped;
  }

  void all_members() {
    std::deque<std::size_t> waiting;
    for (std::size_t i = 0; i < plan_.members.size(); ++i) waiting.push_back(i);
    bool said_to_wait = false;
    while (!waiting.empty() && !stop_requested()) {
      std::vector<ClaimedMember> claimed = claim_members(waiting);
      if (claimed.empty()) {
        if (!said_to_wait) {
          observer_.on_note(
              "", "Waiting for another process, which works on " + name_of_first(waiting));
        }
        said_to_wait = true;
        std::this_thread::sleep_for(kLockPollInterval);
        continue;
      }
      work_on(claimed);
    }
  }

  std::string name_of_first(const std::deque<std::size_t>& waiting) const {
    return "<" + find_name(plan_.members[waiting.front()]) + ">";
  }

  /// Locks the next members whom nobody else works on, up to as many as are trained together, and
  /// takes them out of `waiting`.
  std::vector<ClaimedMember> claim_members(std::deque<std::size_t>& waiting) {
    std::vector<ClaimedMember> claimed;
    std::deque<std::size_t> busy;
    while (!waiting.empty() && claimed.size() < static_cast<std::size_t>(plan_.together)) {
      const std::size_t index = waiting.front();
      waiting.pop_front();
      const std::string& name = find_name(plan_.members[index]);
      try {
        prepare_output_folder(plan_.folder.person(name));
        claimed.push_back({index, std::make_unique<FileLock>(plan_.folder.lock(name), name)});
      } catch (const TryAgainError&) {
        busy.push_back(index);
      } catch (const Error&) {
        outcome_.members[index].failure = to_failure(std::current_exception());
        end(outcome_.members[index]);
      }
    }
    waiting.insert(waiting.end(), busy.begin(), busy.end());
    return claimed;
  }

  void work_on(std::vector<ClaimedMember>& claimed) {
    std::vector<TeamMemberTraining> trainings;
    for (const ClaimedMember& claim : claimed)
      trainings.push_back({&member(claim), &outcome(claim)});
    if (!train_members(plan_, model_, trainings, observer_)) outcome_.was_stopped = true;
    for (const ClaimedMember& claim : claimed) {
      if (stop_requested()) return;
      if (!outcome(claim).failure) make_own_images(claim);
      if (outcome_.was_stopped) return;
      end(outcome(claim));
    }
    if (!plan_.is_part) gallery_.refresh(kBetweenGalleries);
  }

  void end(const MemberOutcome& outcome) { observer_.on_member(outcome); }

  /// The requests whose words are all there, of which none but `own` is another member's.
  std::vector<ImageRequest> without_other_members(const std::vector<ImageRequest>& requests,
                                                  const std::string& own) const {
    std::vector<ImageRequest> kept;
    std::copy_if(requests.begin(), requests.end(), std::back_inserter(kept),
                 [&](const ImageRequest& request) { return !needs_others(request, own); });
    return kept;
  }

  bool needs_others(const ImageRequest& request, const std::string& own) const {
    for (const std::string& name : list_embedding_names(request, plan_.other_embeddings)) {
      if (!is_same_name(name, own) && !plan_.other_embeddings.contains(name)) return true;
    }
    return false;
  }

  void make_own_images(const ClaimedMember& claim) {
    const std::string& name = outcome(claim).name;
    try {
      EmbeddingTable embeddings = plan_.other_embeddings;
      embeddings.add(read_embedding(plan_.folder.embedding(name)));
      const auto requests = without_other_members(member(claim).images, name);
      make(requests, embeddings);
      outcome(claim).images = count_present(requests, embeddings);
    } catch (const std::exception&) {
      outcome(claim).failure = to_failure(std::current_exception());
    }
  }

  void make(const std::vector<ImageRequest>& requests, const EmbeddingTable& embeddings) {
    const auto images =
        list_team_images(requests, model_.bundle, embeddings, plan_.encoding, plan_.dtype);
    try {
      make_images(model_.generator, model_.bundle, plan_.folder, images, embeddings, plan_.encoding,
                  plan_.version, *this);
    } catch (const Stopped&) {
    }
  }

  void on_image(const TeamImage& image) override {
    gallery_.add(image.file);
    observer_.on_image(image.file);
  }

  void on_image_step(int done, int total) override {
    observer_.on_image_step(done, total);
    if (done < total && stop_requested()) throw Stopped{};
  }

  EmbeddingTable all_embeddings() const {
    EmbeddingTable embeddings = plan_.other_embeddings;
    for (const MemberOutcome& one : outcome_.members) {
      const fs::path file = plan_.folder.embedding(one.name);
      if (one.training && fs::exists(file)) embeddings.add(read_embedding(file));
    }
    return embeddings;
  }

  /// Pictures that need the words of several members, when all are there; one process makes them.
  void images_of_several() {
    std::vector<ImageRequest> requested = plan_.group_images;
    for (const TeamMember& one : plan_.members) {
      for (const ImageRequest& request : one.images) {
        if (needs_others(request, find_name(one))) requested.push_back(request);
      }
    }
    if (requested.empty()) return;
    const std::unique_ptr<FileLock> lock = wait_for(plan_.folder.images() / ".lock");
    if (!lock) return;
    try {
      const EmbeddingTable embeddings = all_embeddings();
      for (const ImageRequest& request : requested) {
        const std::string missing = find_missing_embedding(request, embeddings);
        if (missing.empty()) continue;
        outcome_.failures.push_back(
            {ExitCode::kData,
             "\"" + request.prompt + "\": " + placeholder(missing) + " is not trained"});
      }
      make(requested, embeddings);
    } catch (const std::exception&) {
      outcome_.failures.push_back(to_failure(std::current_exception()));
    }
  }

  /// Nothing after a request to stop.
  std::unique_ptr<FileLock> wait_for(const fs::path& file) {
    while (!stop_requested()) {
      try {
        return std::make_unique<FileLock>(file, file.parent_path().string());
      } catch (const TryAgainError&) {
        std::this_thread::sleep_for(kLockPollInterval);
      }
    }
    return nullptr;
  }

  int count_present(const std::vector<ImageRequest>& requests,
                    const EmbeddingTable& embeddings) const {
    return sdx::count_present(plan_.folder, list_team_images(requests, model_.bundle, embeddings,
                                                             plan_.encoding, plan_.dtype));
  }

  /// Which of the wanted pictures are there: also those that other processes made.
  void count_images() {
    const EmbeddingTable embeddings = all_embeddings();
    for (std::size_t i = 0; i < plan_.members.size(); ++i) {
      MemberOutcome& one = outcome_.members[i];
      one.images = count_present(plan_.members[i].images, embeddings);
      one.is_done = one.training && !one.failure && one.images == one.images_planned;
    }
    outcome_.group_images = count_present(plan_.group_images, embeddings);
    outcome_.group_images_planned = static_cast<int>(plan_.group_images.size());
  }

  void finish() {
    outcome_.seconds = plan_.seconds_in_parts + stopwatch_.seconds();
    for (MemberOutcome& one : outcome_.members) {
      if (plan_.trained_in_parts.contains(one.name)) one.was_trained = true;
    }
    if (plan_.is_part) return;
    try {
      std::map<std::string, std::string> notes;
      for (const MemberOutcome& one : outcome_.members) notes[one.name] = write_note(one);
      gallery_.write(std::move(notes));
    } catch (const std::exception&) {
      outcome_.failures.push_back(to_failure(std::current_exception()));
    }
    write_file_atomically(plan_.folder.summary(), to_json_text(outcome_) + "\n");
  }

  const TeamPlan& plan_;
  const LoadedModel& model_;
  TeamObserver& observer_;
  TeamGallery gallery_;
  TeamOutcome outcome_;
  Stopwatch stopwatch_;
};

}  // namespace

bool TeamOutcome::is_done() const {
  return failures.empty() && group_images == group_images_planned &&
         std::all_of(members.begin(), members.end(),
                     [](const MemberOutcome& one) { return one.is_done; });
}

TeamOutcome run_team(const TeamPlan& plan, const LoadedModel& model, TeamObserver& observer) {
  return TeamRun(plan, model, observer).run();
}

std::string to_json_text(const TeamOutcome& outcome) {
  Json people = Json::array();
  for (const MemberOutcome& one : outcome.members) {
    Json person = {{"name", one.name},
                   {"done", one.is_done},
                   {"trained_now", one.was_trained},
                   {"pictures", one.images},
                   {"pictures_wanted", one.images_planned}};
    if (one.training) {
      person["steps"] = one.training->steps;
      person["seconds"] = one.training->seconds;
      if (one.training->likeness) person["likeness_after"] = one.training->likeness->after;
    }
    if (one.failure) {
      person["exit_code"] = static_cast<int>(one.failure->code);
      person["problem"] = one.failure->text;
    }
    people.push_back(std::move(person));
  }
  Json problems = Json::array();
  for (const Failure& failure : outcome.failures) problems.push_back(failure.text);
  return Json{{"title", outcome.title},
              {"done", outcome.is_done()},
              {"people", people},
              {"group_pictures", outcome.group_images},
              {"group_pictures_wanted", outcome.group_images_planned},
              {"problems", problems},
              {"seconds", outcome.seconds}}
      .dump(2);
}

}  // namespace sdx
