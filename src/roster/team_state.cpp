#include "sdx/roster/team_state.h"

#include "sdx/embedding/embedding_reader.h"
#include "sdx/util/error.h"
#include "sdx/util/lock.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

bool is_locked(const fs::path& file) {
  if (!fs::exists(file)) return false;
  try {
    const FileLock lock(file, file.string());
    return false;
  } catch (const TryAgainError&) {
    return true;
  }
}

EmbeddingTable all_words(const TeamPlan& plan) {
  EmbeddingTable words = plan.other_words;
  for (const TeamMember& member : plan.members) {
    const fs::path file = plan.folder.embedding(member.training.inversion.name);
    if (fs::exists(file)) words.add(read_embedding(file));
  }
  return words;
}

}  // namespace

MemberState state_of(const TeamPlan& plan, const TeamMember& member, const Bundle& bundle) {
  const TrainingSpec& spec = member.training;
  MemberState state;
  state.name = spec.inversion.name;
  state.is_locked = is_locked(plan.folder.lock(state.name));
  const auto record = read_record(plan.folder.person(state.name));
  if (record) state.failure = record->failure;
  state.why_train =
      why_train(record, {spec.settings, bundle.short_hash(), hash_of_portraits(spec.portraits)},
                plan.folder.embedding(state.name));
  if (state.why_train) {
    const auto checkpoint = newest_checkpoint(plan.folder.training(state.name) / "checkpoints",
                                              [](const std::string&) {});
    if (checkpoint) state.steps = checkpoint->state.inversion.steps;
  }
  state.pictures_wanted = static_cast<int>(member.pictures.size());
  state.pictures = count_present(
      plan.folder, team_pictures(member.pictures, bundle, all_words(plan), plan.encoding));
  return state;
}

}  // namespace sdx
