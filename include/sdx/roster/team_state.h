#pragma once

#include <optional>
#include <string>

#include "sdx/roster/team_run.h"

namespace sdx {

/// The progress of a member, as the team's folder shows it.
struct MemberState {
  std::string name;
  bool is_locked = false;                ///< a process works on it now
  std::optional<std::string> why_train;  ///< nothing: the word is there
  std::optional<int> steps;              ///< of a training that is under way or was broken off
  int images = 0;                        ///< that are there, of those wanted
  int images_planned = 0;
  std::optional<Failure> failure;  ///< of the last try

  bool is_done() const { return !why_train && images == images_planned; }
};

/// The progress of a team. Reads the embeddings once, when it is made; changes nothing.
class TeamStatus {
 public:
  /// @param plan, bundle outlive it.
  /// @throws as read_embedding.
  TeamStatus(const TeamPlan& plan, const Bundle& bundle);

  /// Reads the member's record and portraits, and for a training that is under way its checkpoint.
  /// @throws LaterVersionError if a later version made them.
  MemberState examine(const TeamMember& member) const;

 private:
  const TeamPlan& plan_;
  const Bundle& bundle_;
  EmbeddingTable embeddings_;  ///< of all who have an embedding
};

}  // namespace sdx
