#include "cli/roster/team_share.h"

#include <algorithm>

#include "sdx/roster/team_state.h"
#include "sdx/util/error.h"
#include "sdx/util/text.h"

namespace sdx {

namespace {

constexpr std::size_t kMostShown = 2;  ///< processes that a line of a terminal holds

bool is_done(const TeamMember& member, const TeamStatus& status) {
  try {
    return status.examine(member).is_done();
  } catch (const Error&) {
    return false;  // the run says it, and whose it is
  }
}

}  // namespace

void TeamShare::run(GpuTeam& team, const ReadyListener& on_ready) {
  on_ready_ = on_ready;
  team.run([&](std::size_t process, const Json& message) { take(team, process, message); },
           [&](std::size_t process) {
             at_work_.erase(process);
             if (bar_) show();
           });
  bar_.reset();
}

void TeamShare::take(const GpuTeam& team, std::size_t process, const Json& message) {
  const std::string name = message.value("person", "");
  if (message.contains("ready")) {
    if (!is_ready_) on_ready_(message["usual_seconds"], message["most_seconds"]);
    is_ready_ = true;
  } else if (message.contains("note")) {
    reporter_.on_note(name, message["note"]);
  } else if (message.contains("training")) {
    trainers_[name] = process;
    reporter_.on_training(name, message["training"]);
  } else if (message.contains("step")) {
    steps_[name] = message["step"];
    at_work_[process] = placeholder(name) + " " + std::to_string(steps_[name]) + "/" +
                        std::to_string(message["most"].get<int>());
    show();
  } else if (message.contains("drawing")) {
    at_work_[process] = name.empty() ? "drawing" : "drawing " + placeholder(name);
    show();
  } else if (message.contains("picture")) {
    reporter_.on_image(message["picture"].get<std::string>());
  } else if (message.contains("member")) {
    take_member(team, process, message);
  }
}

void TeamShare::take_member(const GpuTeam& team, std::size_t process, const Json& message) {
  const std::string name = message["member"];
  at_work_.erase(process);
  const auto trainer = trainers_.find(name);
  const bool is_trained_elsewhere =
      trainer != trainers_.end() && trainer->second != process && team.is_at_work(trainer->second);
  if (is_trained_elsewhere && !message["trained"].get<bool>()) return;  // that one says it
  const bool has_failed = message["failed"];
  if (!has_failed && trainer != trainers_.end()) trained_.insert(name);
  bar_.reset();  // the next one stands below a bar of more people
  reporter_.show_member(name, message["line"], has_failed);
}

void TeamShare::show() {
  if (!bar_) {
    int most = 0;
    for (const TeamMember& member : plan_.members) most += member.training.inversion.steps;
    bar_.emplace(
        "Training", most, common_.quiet,
        bar_text("People", reporter_.count_done(), static_cast<int>(plan_.members.size())));
  }
  int done = 0;
  for (const auto& [name, steps] : steps_) done += steps;
  std::vector<std::string> texts;
  for (const auto& [process, text] : at_work_) texts.push_back(text);
  const std::size_t shown = std::min(texts.size(), kMostShown);
  const std::string more =
      shown < texts.size() ? " and " + std::to_string(texts.size() - shown) + " more" : "";
  texts.resize(shown);
  bar_->update(done, join(texts, ", ") + more);
}

std::size_t count_useful_processes(const TeamPlan& plan, const Bundle& bundle) {
  const TeamStatus status(plan, bundle);
  const auto left = static_cast<std::size_t>(
      std::count_if(plan.members.begin(), plan.members.end(),
                    [&](const TeamMember& member) { return !is_done(member, status); }));
  const auto together = static_cast<std::size_t>(plan.together);
  return (left + together - 1) / together;
}

}  // namespace sdx
