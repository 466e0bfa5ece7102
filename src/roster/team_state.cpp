#include "sdx/roster/team_state.h"

#include <algorithm>
#include <iterator>

#include "sdx/embedding/embedding_reader.h"
#include "sdx/prompt/prompt.h"
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

EmbeddingTable words_of(const TeamPlan& plan) {
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
  const EmbeddingTable words = words_of(plan);
  std::vector<ImageRequest> possible;
  std::copy_if(member.pictures.begin(), member.pictures.end(), std::back_inserter(possible),
               [&](const ImageRequest& request) {
                 const auto names = placeholder_names(request.prompt + request.negative_prompt);
                 return std::all_of(names.begin(), names.end(),
                                    [&](const std::string& name) { return words.contains(name); });
               });
  const auto pictures = team_pictures(possible, bundle, words, plan.encoding);
  state.pictures = static_cast<int>(pictures.size()) - count_missing(plan.folder, pictures);
  return state;
}

}  // namespace sdx
