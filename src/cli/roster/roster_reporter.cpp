#include "cli/roster/roster_reporter.h"

#include <algorithm>

#include "sdx/util/stop.h"
#include "sdx/util/text.h"
#include "sdx/util/units.h"

namespace sdx {

namespace {

std::string of(int part, int whole) {
  return std::to_string(part) + " of " + std::to_string(whole);
}

}  // namespace

std::string describe_outcome(const MemberOutcome& one) {
  std::string line = placeholder(one.name) + ": ";
  if (one.failure) return line + "FAILED: " + one.failure->text;
  if (one.was_trained) {
    line += std::to_string(one.training->steps) + " steps in " +
            fixed_number(one.training->seconds, 0) + " s";
    if (one.training->likeness) {
      line += ", likeness " + fixed_number(one.training->likeness->after, 2);
    }
  } else {
    line += one.training ? "was trained before" : "not trained";
  }
  return line + "; " + of(one.images, one.images_planned) + " pictures";
}

std::vector<std::string> list_portrait_notes(const SubjectPortraits& subject) {
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
  std::vector<std::string> notes;
  if (!skipped.empty()) notes.push_back("not used: " + join(skipped, ", "));
  if (!strays.empty()) notes.push_back("shows someone else: " + join(strays, ", "));
  return notes;
}

RosterReporter::RosterReporter(const TeamPlan& plan, const CommonOptions& common)
    : plan_(plan), common_(common) {}

void RosterReporter::on_portraits(const std::string& name, const SubjectPortraits& subject) {
  for (const std::string& note : list_portrait_notes(subject)) on_note(name, note);
}

void RosterReporter::on_note(const std::string& name, const std::string& sentence) {
  bar_.reset();
  say((name.empty() ? "" : placeholder(name) + ": ") + sentence);
}

bool RosterReporter::stop_requested() { return stop_signal() != 0; }

void RosterReporter::on_image(const std::filesystem::path& file) {
  ++images_;
  say_json(common_, {{"picture", (plan_.folder.root / file).string()}});
}

void RosterReporter::on_measurement(const std::string& name, const Measurement& one) {
  figures_[name].take(one);
}

void RosterReporter::on_milestone(const std::string& name, const Milestone& one,
                                  const std::vector<Image>& /*images*/) {
  figures_[name].take(one);
  if (!bar_) return;
  bar_->end_pause();
  bar_->remark(placeholder(name) + ": " + describe_previews(plan_.folder.training(name), one));
}

void RosterReporter::on_training(const std::string& name, const std::string& why) {
  bar_.reset();
  say(placeholder(name) + ": training, " + why);
  say_json(common_, {{"person", name}, {"training", why}});
  at_work_.push_back(name);
}

void RosterReporter::show(const std::string& what, int total) {
  if (bar_ && shown_ == what) return;
  bar_.emplace(what, total, common_.quiet,
               bar_text("People", static_cast<int>(shown_people_.size()),
                        static_cast<int>(plan_.members.size())));
  shown_ = what;
}

void RosterReporter::on_start(const std::string& name, int done, int most) {
  const auto member =
      std::find_if(plan_.members.begin(), plan_.members.end(),
                   [&](const TeamMember& one) { return one.training.inversion.name == name; });
  if (member == plan_.members.end()) return;
  const TrainerOptions& trainer = member->training.trainer;
  evaluations_ += count_evaluations(done, most, trainer.milestone_steps);
  show("Training " + names_at_work(), most * static_cast<int>(at_work_.size()));
  bar_->plan(evaluations_, trainer.stop_when_settled);
}

void RosterReporter::on_step(const std::string& name, const StepResult& /*result*/, int done,
                             int most) {
  steps_[name] = done;
  show("Training " + names_at_work(), most * static_cast<int>(at_work_.size()));
  int all = 0;
  for (const auto& [who, steps] : steps_) all += steps;
  bar_->update(all, figures_[name].text());
}

std::string RosterReporter::names_at_work() const {
  std::vector<std::string> words;
  for (const std::string& name : at_work_) words.push_back(placeholder(name));
  return join(words, ", ");
}

void RosterReporter::on_image_step(int done, int total) {
  show(at_work_.empty() ? "Drawing" : "Drawing " + names_at_work(), total);
  bar_->update(
      done, count_in_words(static_cast<std::size_t>(images_), "picture", "pictures") + " written");
}

void RosterReporter::on_member(const MemberOutcome& outcome) {
  at_work_.clear();
  steps_.clear();
  evaluations_ = 0;
  figures_.clear();
  show_member(outcome.name, describe_outcome(outcome), outcome.failure.has_value());
}

void RosterReporter::show_member(const std::string& name, const std::string& line,
                                 bool has_failed) {
  bar_.reset();
  std::erase(at_work_, name);
  bool& is_done = shown_people_[name];
  if (is_done && !has_failed) return;
  is_done = !has_failed;
  say("(" + std::to_string(shown_people_.size()) + "/" + std::to_string(plan_.members.size()) +
      ") " + line);
}

int RosterReporter::count_done() const {
  return static_cast<int>(std::count_if(shown_people_.begin(), shown_people_.end(),
                                        [](const auto& one) { return one.second; }));
}

void RosterReporter::finish(const TeamOutcome& outcome) {
  bar_.reset();
  for (const MemberOutcome& one : outcome.members) say("  " + describe_outcome(one));
  for (const Failure& failure : outcome.failures) say("  FAILED: " + failure.text);
  if (outcome.group_images_planned > 0) {
    say("  " + of(outcome.group_images, outcome.group_images_planned) +
        " pictures of several people");
  }
  const auto done = std::count_if(outcome.members.begin(), outcome.members.end(),
                                  [](const MemberOutcome& one) { return one.is_done; });
  say(of(static_cast<int>(done), static_cast<int>(outcome.members.size())) + " people done, " +
      std::to_string(images_) + " pictures made now, in " + fixed_number(outcome.seconds, 0) +
      " s");
  if (common_.json) say_json(common_, Json::parse(to_json_text(outcome)));
}

void show_problems(const std::vector<RosterProblem>& problems, const CommonOptions& common) {
  for (const RosterProblem& problem : problems) {
    say(problem.where + (problem.name.empty() ? "" : ", " + problem.name) + ": " + problem.text);
    say_json(common, {{"where", problem.where},
                      {"person", problem.name},
                      {"exit_code", static_cast<int>(problem.code)},
                      {"problem", problem.text}});
  }
}

}  // namespace sdx
