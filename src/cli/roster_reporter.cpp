#include "cli/roster_reporter.h"

#include <algorithm>

#include "sdx/util/stop.h"
#include "sdx/util/text.h"
#include "sdx/util/units.h"

namespace sdx {

namespace {

std::string of(int part, int whole) {
  return std::to_string(part) + " of " + std::to_string(whole);
}

std::string line_of(const MemberOutcome& one) {
  std::string line = placeholder(one.name) + ": ";
  if (one.failure) return line + "FAILED: " + one.failure->text;
  if (one.was_trained) {
    line += std::to_string(one.training["steps"].get<int>()) + " steps in " +
            fixed_number(one.training["seconds"].get<double>(), 0) + " s";
    if (one.training.contains("likeness_after")) {
      line += ", likeness " + fixed_number(one.training["likeness_after"].get<double>(), 2);
    }
  } else {
    line += one.training.is_null() ? "not trained" : "was trained before";
  }
  return line + "; " + of(one.pictures, one.pictures_wanted) + " pictures";
}

}  // namespace

RosterReporter::RosterReporter(const TeamPlan& plan, const CommonOptions& common)
    : plan_(plan), common_(common) {}

TeamEvents RosterReporter::events() {
  TeamEvents events;
  events.begins = [this](const auto& name, const auto& why) { begins(name, why); };
  events.step = [this](const std::string& name, int done, int most, const std::string& figures) {
    step(name, done, most, figures);
  };
  events.picture_step = [this](int done, int total) { picture_step(done, total); };
  events.picture = [this](const std::filesystem::path& file) {
    ++pictures_;
    say_json(common_, {{"picture", (plan_.folder.root / file).string()}});
  };
  events.ends = [this](const MemberOutcome& outcome) { ends(outcome); };
  events.note = [this](const std::string& sentence) {
    bar_.reset();
    say(sentence);
  };
  events.stop_requested = [] { return stop_signal() != 0; };
  return events;
}

void RosterReporter::begins(const std::string& name, const std::string& why) {
  bar_.reset();
  say(placeholder(name) + ": training, " + why);
  say_json(common_, {{"person", name}, {"training", why}});
  at_work_.push_back(name);
}

void RosterReporter::show(const std::string& what, int total) {
  if (bar_ && shown_ == what) return;
  bar_.emplace(what, total, common_.quiet,
               bar_text("People", people_done_, static_cast<int>(plan_.members.size())));
  shown_ = what;
}

void RosterReporter::step(const std::string& name, int step, int most, const std::string& figures) {
  steps_[name] = step;
  show("Training " + names_at_work(), most * static_cast<int>(at_work_.size()));
  int done = 0;
  for (const auto& [who, steps] : steps_) done += steps;
  bar_->update(done, figures);
}

std::string RosterReporter::names_at_work() const {
  std::vector<std::string> words;
  for (const std::string& name : at_work_) words.push_back(placeholder(name));
  return join(words, ", ");
}

void RosterReporter::picture_step(int done, int total) {
  show(at_work_.empty() ? "Drawing" : "Drawing " + names_at_work(), total);
  bar_->update(done, std::to_string(pictures_) + " pictures");
}

void RosterReporter::ends(const MemberOutcome& outcome) {
  bar_.reset();
  ++people_done_;
  at_work_.clear();
  steps_.clear();
  say("(" + std::to_string(people_done_) + "/" + std::to_string(plan_.members.size()) + ") " +
      line_of(outcome));
}

void RosterReporter::finish(const TeamOutcome& outcome) {
  bar_.reset();
  for (const MemberOutcome& one : outcome.members) say("  " + line_of(one));
  for (const Failure& failure : outcome.failures) say("  FAILED: " + failure.text);
  if (outcome.group_pictures_wanted > 0) {
    say("  " + of(outcome.group_pictures, outcome.group_pictures_wanted) +
        " pictures of several people");
  }
  const auto done = std::count_if(outcome.members.begin(), outcome.members.end(),
                                  [](const MemberOutcome& one) { return one.is_done; });
  say(of(static_cast<int>(done), static_cast<int>(outcome.members.size())) + " people done, " +
      std::to_string(pictures_) + " pictures made now, in " + fixed_number(outcome.seconds, 0) +
      " s");
  say_json(common_, to_json(outcome));
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
