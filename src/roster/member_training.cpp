#include "roster/member_training.h"

#include <memory>
#include <optional>

#include "sdx/util/error.h"
#include "sdx/util/sha256.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

/// One member on the way from portraits to an embedding.
class MemberTraining {
 public:
  MemberTraining(const TeamPlan& plan, const LoadedModel& model, const TeamMemberTraining& of)
      : plan_(plan),
        model_(model),
        spec_(of.member->training),
        outcome_(*of.outcome),
        person_(plan.folder.person(name())) {}

  const std::string& name() const { return spec_.inversion.name; }

  /// Why it must be trained; nothing if it need not, and then the outcome has the earlier result.
  std::optional<std::string> why() {
    record_ = read_record(person_);
    may_write_record_ = true;
    identity_ = identify_training(spec_, model_.bundle, hash_of_portraits(spec_.portraits));
    const auto reason = why_train(record_, identity_, plan_.folder.embedding(name()));
    if (reason) return reason;
    outcome_.training = record_->result;
    if (record_->failure) {  // of a training that is not asked for any more
      record_->failure.reset();
      write_record(person_, *record_);
    }
    return std::nullopt;
  }

  PreparedTraining prepare(TeamObserver& observer) {
    folder_.emplace(plan_.folder.training(name()), plan_.keep);
    return prepare_training(model_.bundle, model_.target, model_.identities, spec_, *folder_,
                            ResumePolicy::kIfSame, observer);
  }

  void finish(TrainedEmbedding& trained) {
    if (trained.reason() == StopReason::kRequested) return trained.save_checkpoint();
    if (trained.reason() == StopReason::kNotFinite) {
      throw DataError("the loss was not finite in " + std::to_string(kMostSkippedSteps) +
                      " steps in a row, or a preview was not; lower `lr`");
    }
    const fs::path file = plan_.folder.embedding(name());
    const TrainingSummary result = trained.save(file, plan_.version);
    remove_images(plan_.folder, name());  // they show the embedding as it was before
    outcome_.training = result;
    outcome_.was_trained = true;
    write_record(person_, {identity_, result, sha256_of_file(file), std::nullopt});
  }

  /// Of the exception that is being handled. What was there before stays as it is.
  void fail() {
    outcome_.failure = to_failure(std::current_exception());
    if (!may_write_record_) return;
    MemberRecord record = record_.value_or(MemberRecord{identity_, std::nullopt, "", std::nullopt});
    record.failure = outcome_.failure;
    try {
      write_record(person_, record);
    } catch (const Error&) {
      // Nowhere to note it, as when the disk is full: the outcome says it.
    }
  }

 private:
  const TeamPlan& plan_;
  const LoadedModel& model_;
  const TrainingSpec& spec_;
  MemberOutcome& outcome_;
  fs::path person_;
  std::optional<MemberRecord> record_;
  bool may_write_record_ = false;  ///< not one of a later version
  TrainingIdentity identity_;
  std::optional<RunFolder> folder_;
};

}  // namespace

bool train_members(const TeamPlan& plan, const LoadedModel& model,
                   const std::vector<TeamMemberTraining>& members, TeamObserver& observer) {
  std::vector<std::unique_ptr<MemberTraining>> trainings;
  std::vector<PreparedTraining> prepared;
  for (const TeamMemberTraining& of : members) {
    auto training = std::make_unique<MemberTraining>(plan, model, of);
    try {
      const auto why = training->why();
      if (!why) continue;
      observer.on_training(training->name(), *why);
      prepared.push_back(training->prepare(observer));
      trainings.push_back(std::move(training));
    } catch (const std::exception&) {
      training->fail();
    }
  }
  std::vector<TrainingAttempt> attempts =
      train_together(std::move(prepared), model.parts(), plan.together);
  bool goes_on = true;
  for (std::size_t i = 0; i < attempts.size(); ++i) {
    try {
      if (attempts[i].failure) std::rethrow_exception(attempts[i].failure);
      trainings[i]->finish(*attempts[i].trained);
      goes_on = goes_on && attempts[i].trained->reason() != StopReason::kRequested;
    } catch (const std::exception&) {
      trainings[i]->fail();
    }
  }
  return goes_on;
}

}  // namespace sdx
