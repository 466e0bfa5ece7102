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

EmbeddingTable all_embeddings(const TeamPlan& plan) {
  EmbeddingTable embeddings = plan.other_embeddings;
  for (const TeamMember& member : plan.members) {
    const fs::path file = plan.folder.embedding(member.training.inversion.name);
    if (fs::exists(file)) embeddings.add(read_embedding(file));
  }
  return embeddings;
}

}  // namespace

TeamStatus::TeamStatus(const TeamPlan& plan, const Bundle& bundle)
    : plan_(plan), bundle_(bundle), embeddings_(all_embeddings(plan)) {}

MemberState TeamStatus::examine(const TeamMember& member) const {
  const TrainingSpec& spec = member.training;
  MemberState state;
  state.name = spec.inversion.name;
  state.is_locked = is_locked(plan_.folder.lock(state.name));
  const auto record = read_record(plan_.folder.person(state.name));
  if (record) state.failure = record->failure;
  state.why_train =
      why_train(record, identify_training(spec, bundle_, hash_of_portraits(spec.portraits)),
                plan_.folder.embedding(state.name));
  if (state.why_train) {
    const auto checkpoint = newest_checkpoint(plan_.folder.training(state.name) / "checkpoints",
                                              [](const std::string&) {});
    if (checkpoint) state.steps = checkpoint->state.inversion.steps;
  }
  state.images_planned = static_cast<int>(member.images.size());
  state.images = count_present(plan_.folder, list_team_images(member.images, bundle_, embeddings_,
                                                              plan_.encoding, plan_.dtype));
  return state;
}

}  // namespace sdx
