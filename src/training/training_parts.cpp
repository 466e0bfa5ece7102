#include "training/training_parts.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "sdx/dataset/templates.h"
#include "sdx/image/quality.h"
#include "sdx/util/error.h"
#include "sdx/util/text.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

/// ": new are 7.png, 8.png; 1 is gone", as far as it is known.
std::string describe_changes(const PortraitLatents& latents) {
  std::vector<std::string> changes;
  if (!latents.new_files.empty()) {
    changes.push_back("new or changed: " + join(latents.new_files, ", "));
  }
  if (latents.gone > 0) {
    changes.push_back(
        count_in_words(static_cast<std::size_t>(latents.gone), "picture", "pictures") +
        " gone or changed");
  }
  return changes.empty() ? "" : " (" + join(changes, "; ") + ")";
}

void throw_difference(const IdentityDifference& difference, const PortraitLatents& latents,
                      const fs::path& folder) {
  if (!difference.fatal.empty()) {
    throw DataError("`resume` " + folder.string() +
                    ": made for another training: " + join(difference.fatal, "; "));
  }
  throw UsageError("`resume` " + folder.string() +
                   ": not the same training any more: " + join(difference.other, "; ") +
                   describe_changes(latents) + ". `resume-anyway` resumes all the same");
}

}  // namespace

PreparedTraining::Parts::Parts(const Bundle& used_bundle, const ComputeTarget& used_target,
                               const Identities& known, TrainingSpec chosen_spec, RunFolder& in,
                               TrainingObserver& watcher)
    : bundle(used_bundle),
      target(used_target),
      identities(known),
      spec(std::move(chosen_spec)),
      folder(in),
      observer(watcher),
      previews(load_previews()) {
  const auto most = static_cast<std::size_t>(spec.trainer.previews);
  previews.resize(std::min(previews.size(), most));
}

void PreparedTraining::Parts::load_portraits() {
  const auto encoders = identities.all();
  subject = load_subject(spec.portraits, spec.subject, bundle,
                         encoders.empty() ? nullptr : encoders.front());
  observer.on_portraits(spec.inversion.name, subject);
  check_enough_portraits(spec.portraits, subject.portraits);
  latents = encode_portraits(subject.portraits, bundle, target, spec.subject.latents,
                             folder.path() / "latents.safetensors");
  spdlog::debug("Pictures encoded: {}; the others were known from an earlier training",
                latents.encoded);
  if (!latents.cache_problem.empty()) note("Encoded again: " + latents.cache_problem);
  warn_of_photographs();
  identity = identify_training(spec, bundle, hash_portraits(latents));
  identity.precision = precision_name(target.dtype);
}

void PreparedTraining::Parts::find_checkpoint(ResumePolicy policy) {
  if (policy == ResumePolicy::kStartAnew ||
      (policy == ResumePolicy::kIfSame && !folder.steps_done())) {
    return folder.clear();
  }
  Checkpoint found =
      folder.resume([this](const std::string& warning) { note("Warning: " + warning); });
  const IdentityDifference difference = compare(found.identity, identity);
  if (!difference.is_none() && policy == ResumePolicy::kIfSame) {
    std::vector<std::string> reasons = difference.fatal;
    reasons.insert(reasons.end(), difference.other.begin(), difference.other.end());
    note("Begun anew: " + join(reasons, "; "));
    return folder.clear();
  }
  if (!difference.is_none() && (policy == ResumePolicy::kOnlySame || !difference.fatal.empty())) {
    throw_difference(difference, latents, folder.path());
  }
  note("Resuming after step " + std::to_string(found.state.inversion.steps));
  state = std::move(found.state);
}

/// A small model draws what its captions name, and has never seen a photograph.
void PreparedTraining::Parts::warn_of_photographs() const {
  const BundleInfo& model = bundle.info();
  const std::vector<Image> used = subject.used();
  if (model.known_words.empty() || !std::all_of(used.begin(), used.end(), is_photograph)) return;
  note("Warning: these portraits are photographs, and " + in_quotes(model.name) +
       " is a small model of drawings: <" + spec.inversion.name +
       "> will hardly be recognised. Train with a `model` that has learnt from photographs");
}

}  // namespace sdx
