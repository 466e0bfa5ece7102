#pragma once

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "sdx/roster/member_record.h"
#include "sdx/roster/team_folder.h"
#include "sdx/roster/team_images.h"
#include "sdx/training/loaded_model.h"
#include "sdx/training/training_run.h"

namespace sdx {

/// A person of a team, with the training and the pictures that are wanted.
struct TeamMember {
  TrainingSpec training;             ///< training.inversion.name is the person's
  std::vector<ImageRequest> images;  ///< that show the person
  bool shows_portrait = false;       ///< the gallery may show a portrait
};

/// A team, with the trainings and pictures that are wanted.
struct TeamPlan {
  TeamFolder folder;
  std::string title;
  std::vector<TeamMember> members;
  std::vector<ImageRequest> group_images;  ///< that belong to no single member
  EmbeddingTable other_embeddings;         ///< that prompts may use as well
  KeepPolicy keep = KeepPolicy::kBest;
  /// This process makes a part of the team only. It draws no pictures that need several members,
  /// and writes no gallery and no summary; another process does.
  bool is_part = false;
  /// What processes that did parts of this run have done before it, for the summary.
  std::set<std::string> trained_in_parts;  ///< names of members
  double seconds_in_parts = 0;
  int together = 1;  ///< people who are trained in one pass of the UNet
  ImageEncoding encoding;
  std::string dtype = "auto";  ///< of the pictures, as it was asked for: TrainingSpec::dtype
  std::string version;         ///< of the program, for metadata
};

/// The outcome for a member.
struct MemberOutcome {
  std::string name;
  bool is_done = false;                     ///< the word and all pictures are there
  bool was_trained = false;                 ///< in this run
  std::optional<TrainingSummary> training;  ///< now or before; nothing where there was none
  int images = 0;                           ///< that are there, of those wanted
  int images_planned = 0;
  std::optional<Failure> failure;
};

struct TeamOutcome {
  std::string title;
  std::vector<MemberOutcome> members;
  int group_images = 0;
  int group_images_planned = 0;
  std::vector<Failure> failures;  ///< of pictures that show several people, or of the gallery
  bool was_stopped = false;
  double seconds = 0;

  bool is_done() const;
};

/// Is told what happens in a team's run: the events of each person's training, as TrainingObserver
/// has them, and the events below. A note that concerns nobody in particular has an empty name.
class TeamObserver : public TrainingObserver {
 public:
  /// A person's training begins, and why there is one.
  virtual void on_training(const std::string& /*name*/, const std::string& /*why*/) {}

  /// After each step of the sampler, over all pictures that are made together.
  virtual void on_image_step(int /*done*/, int /*total*/) {}

  /// A picture was written.
  /// @param file within the team's folder
  virtual void on_image(const std::filesystem::path& /*file*/) {}

  /// A person is done, or failed.
  virtual void on_member(const MemberOutcome& /*outcome*/) {}
};

/// Trains the people who need it, makes the missing pictures, and writes the gallery and
/// summary.json.
///
/// If it is interrupted, run it again: it resumes and produces the same bytes. This holds for one
/// person at a time, on one machine at one number of threads. Several processes, also on several
/// machines, may do this in one folder at once. A process locks a person while it works on them. A
/// process without work waits for the others, and then takes over what they left undone. A failure
/// for one person stops nobody else.
/// @throws only what concerns everybody: an output folder that cannot be made, for example.
TeamOutcome run_team(const TeamPlan& plan, const LoadedModel& model, TeamObserver& observer);

/// What summary.json holds: one JSON object, indented, without a line's end.
std::string to_json_text(const TeamOutcome& outcome);

}  // namespace sdx
