#include "roster/member_training.h"

#include <optional>

#include "sdx/prompt/prompt_list.h"
#include "sdx/util/error.h"
#include "sdx/util/sha256.h"
#include "sdx/util/text.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

/// One member on the way from portraits to a word.
class MemberTraining {
 public:
  MemberTraining(const TeamPlan& plan, const LoadedModel& model, const TeamMemberTraining& of,
                 const TeamEvents& events)
      : plan_(plan),
        model_(model),
        spec_(of.member->training),
        outcome_(*of.outcome),
        events_(events),
        person_(plan.folder.person(name())),
        record_(read_record(person_)) {}

  const std::string& name() const { return spec_.inversion.name; }

  /// Why it must be trained; nothing if it need not, and then the outcome has the earlier result.
  std::optional<std::string> why() {
    origin_ = {spec_.settings, model_.bundle.short_hash(), hash_of_portraits(spec_.portraits)};
    const auto reason = why_train(record_, origin_, plan_.folder.embedding(name()));
    if (reason) return reason;
    outcome_.training = record_->result;
    if (record_->failure) {  // of a training that is not asked for any more
      record_->failure.reset();
      write_record(person_, *record_);
    }
    return std::nullopt;
  }

  void begin(int together) {
    folder_.emplace(plan_.folder.training(name()), plan_.keep);
    TrainingRunEvents told;
    told.note = [this](const std::string& sentence) {
      if (events_.note) events_.note(placeholder(name()) + ": " + sentence);
    };
    told.portraits = [this](const SubjectPortraits& subject) { tell_of_portraits(subject); };
    told.step = [this](int done, const std::string& figures) {
      if (events_.step) events_.step(name(), done, spec_.inversion.steps, figures);
    };
    told.stop_requested = events_.stop_requested;
    run_.emplace(model_.bundle, model_.target, model_.identities, spec_, *folder_,
                 ResumePolicy::kIfSame, told);
    run_->begin(model_.parts(), together);
  }

  TrainerTask task() { return run_->task(); }

  void finish(StopReason reason) {
    if (reason == StopReason::kRequested) return run_->pause();
    if (reason == StopReason::kNotFinite) {
      throw InternalError("the loss was not finite in " + std::to_string(kMostSkippedSteps) +
                          " steps in a row; a smaller --lr may help");
    }
    const fs::path file = plan_.folder.embedding(name());
    const Json result = run_->finish(reason, file, plan_.version);
    remove_pictures_of(plan_.folder, name());  // they show the word as it was before
    outcome_.training = result;
    outcome_.was_trained = true;
    write_record(person_, {origin_, result, sha256_of_file(file), std::nullopt});
  }

  /// Of the exception that is being handled. What was there before stays as it is.
  void fail() {
    outcome_.failure = failure_of(std::current_exception());
    MemberRecord record = record_.value_or(MemberRecord{origin_, nullptr, "", std::nullopt});
    record.failure = outcome_.failure;
    try {
      write_record(person_, record);
    } catch (const Error&) {
      // Nowhere to note it, as when the disk is full: the outcome says it.
    }
  }

 private:
  void tell_of_portraits(const SubjectPortraits& subject) const {
    std::vector<std::string> skipped;
    for (const Portrait& portrait : subject.portraits) {
      if (!portrait.used()) {
        skipped.push_back(portrait.file.filename().string() + " (" + portrait.problem + ")");
      }
    }
    std::vector<std::string> strays;
    for (const std::size_t i : subject.strays) {
      strays.push_back(subject.portraits[i].file.filename().string());
    }
    if (!events_.note) return;
    if (!skipped.empty()) {
      events_.note(placeholder(name()) + ": not used: " + join(skipped, ", "));
    }
    if (!strays.empty()) {
      events_.note(placeholder(name()) + ": shows someone else: " + join(strays, ", "));
    }
  }

  const TeamPlan& plan_;
  const LoadedModel& model_;
  const TrainingSpec& spec_;
  MemberOutcome& outcome_;
  const TeamEvents& events_;
  fs::path person_;
  std::optional<MemberRecord> record_;
  TrainingOrigin origin_;
  std::optional<RunFolder> folder_;
  std::optional<TrainingRun> run_;
};

}  // namespace

bool train_members(const TeamPlan& plan, const LoadedModel& model,
                   const std::vector<TeamMemberTraining>& members, const TeamEvents& events) {
  std::vector<std::unique_ptr<MemberTraining>> trainings;
  for (const TeamMemberTraining& of : members) {
    auto training = std::make_unique<MemberTraining>(plan, model, of, events);
    try {
      const auto why = training->why();
      if (!why) continue;
      if (events.begins) events.begins(training->name(), *why);
      training->begin(plan.together);
      trainings.push_back(std::move(training));
    } catch (const std::exception&) {
      training->fail();
    }
  }
  std::vector<TrainerTask> tasks;
  for (const auto& training : trainings) tasks.push_back(training->task());
  const std::vector<TrainerOutcome> outcomes = train_together(tasks);
  bool goes_on = true;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    try {
      if (outcomes[i].failure) std::rethrow_exception(outcomes[i].failure);
      trainings[i]->finish(outcomes[i].reason);
      goes_on = goes_on && outcomes[i].reason != StopReason::kRequested;
    } catch (const std::exception&) {
      trainings[i]->fail();
    }
  }
  return goes_on;
}

}  // namespace sdx
