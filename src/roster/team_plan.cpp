#include "sdx/roster/team_plan.h"

#include <algorithm>
#include <map>
#include <set>

#include "sdx/generation/embedding_names.h"
#include "sdx/prompt/prompt.h"
#include "sdx/prompt/prompt_remarks.h"
#include "sdx/roster/consent.h"
#include "sdx/roster/prompt_packs.h"
#include "sdx/training/training_options.h"
#include "sdx/util/error.h"
#include "sdx/util/name.h"
#include "sdx/util/text.h"

namespace sdx {

namespace {

constexpr const char* kSlot = "{name}";

/// What is asked of a person's training: preset < file of settings < the roster's row.
TrainingSpec make_training(const Member& member, const TeamOptions& options,
                           const ModelOptions& model) {
  TrainingOptions training = default_training();
  if (!options.preset.empty()) apply_preset(options.preset, training);
  ModelOptions asked = model;
  const Settings settings = Settings(training_settings(), training).add(model_settings(), asked);
  if (!options.training_file.empty()) {
    // What --print-config shows of sdx-train holds more than the training.
    const std::set<std::string> skipped = {"json", "quiet", "verbose"};
    settings.read_json(read_json_file(options.training_file), options.training_file, skipped);
    asked.model = model.model;
  }
  training.portraits = member.portraits.string();
  training.inversion.name = member.name;
  training.subject.kind = member.kind;
  if (!member.init.empty()) training.inversion.init = member.init;
  TrainingSpec spec = make_spec(training, asked);
  if (!member.consent.given.empty()) spec.notes["sdx.consent"] = member.consent.given;
  if (!member.consent.until.empty()) spec.notes["sdx.consent_until"] = member.consent.until;
  return spec;
}

class TeamCheck {
 public:
  TeamCheck(const TeamOptions& options, const ModelOptions& model, const Bundle& bundle,
            const Tokenizer& tokenizer, const std::string& version)
      : options_(options),
        model_(model),
        bundle_(bundle),
        tokenizer_(tokenizer),
        version_(version),
        roster_(read_roster(options.roster)) {}

  CheckedTeam check() {
    checked_.problems = roster_.problems;
    TeamPlan& plan = checked_.plan;
    plan.folder.root = options_.out;
    plan.title = options_.title.empty() ? roster_.path.stem().string() : options_.title;
    plan.together = options_.together;
    plan.encoding = options_.encoding;
    plan.dtype = model_.dtype;
    plan.version = version_;
    plan.is_part = !options_.only.empty();
    for (const std::string& place : options_.embeddings) plan.other_embeddings.add_from(place);
    for (const Member& member : chosen_members()) add(member);
    named_ = plan.other_embeddings;
    for (const std::string& name : names_in_roster()) named_.add({name, {}, {}, {}});
    read_prompts();
    return std::move(checked_);
  }

 private:
  std::vector<Member> chosen_members() const {
    if (options_.only.empty()) return roster_.members;
    std::vector<Member> selected;
    for (const Member& member : roster_.members) {  // a name may have a comma in it
      if (is_same_name(member.name, options_.only)) return {member};
    }
    for (const std::string& name : split_list(options_.only, ',')) {
      const auto found =
          std::find_if(roster_.members.begin(), roster_.members.end(),
                       [&](const Member& member) { return is_same_name(member.name, name); });
      if (found == roster_.members.end()) {
        throw UsageError("`only` " + name + ": not in " + roster_.path.string() +
                         "; the nearest are " +
                         join(nearest_words(name, names_in_roster(), 3), ", "));
      }
      selected.push_back(*found);
    }
    return selected;
  }

  std::vector<std::string> names_in_roster() const {
    std::vector<std::string> names;
    for (const Member& member : roster_.members) names.push_back(member.name);
    return names;
  }

  void add(const Member& member) {
    if (const auto problem = find_problem(member)) {
      checked_.problems.push_back(*problem);
      return;
    }
    members_.push_back(member);
  }

  std::optional<RosterProblem> find_problem(const Member& member) {
    const auto problem = [&](ExitCode code, const std::string& text) {
      return RosterProblem{describe_place(roster_.path, member.line), member.name, code, text};
    };
    if (options_.require_consent || roster_.records_consent) {
      if (const auto refusal = why_refused(member.consent, today())) {
        return problem(refusal->code, refusal->text);
      }
    }
    if (auto missing = check_portraits(member, roster_.path)) return missing;
    try {
      check_name(member.name, tokenizer_);
      checked_.plan.members.push_back(
          {make_training(member, options_, model_), {}, member.shows_portrait});
    } catch (const Error& error) {
      return problem(error.exit_code(), error.what());
    }
    return std::nullopt;
  }

  /// Prompts of one file or pack, with the settings that hold in it.
  struct Prompts {
    std::vector<ImageOptions> lines;
    JobSettings settings;
  };

  const Prompts& prompts_in(const std::string& file_or_pack) {
    const auto known = prompts_.find(file_or_pack);
    if (known != prompts_.end()) return known->second;
    Prompts prompts;
    prompts.lines = read_prompt_options(find_prompts(file_or_pack).string(), options_.image);
    prompts.settings = read_sources(options_.sources, prompts.lines);
    prompts.settings.count = options_.count;
    prompts.settings.advice = bundle_.info().advice;
    return prompts_.emplace(file_or_pack, std::move(prompts)).first->second;
  }

  void read_prompts() {
    for (std::size_t i = 0; i < members_.size(); ++i) {
      const std::string& own = members_[i].prompts;
      const std::string& source = own.empty() ? options_.prompts : own;
      if (source.empty()) continue;
      const Prompts& prompts = prompts_in(source);
      for (const ImageOptions& line : prompts.lines) {
        const bool is_for_each = line.prompt.find(kSlot) != std::string::npos;
        JobSettings settings = prompts.settings;
        if (is_for_each) settings.names = {members_[i].name};
        for (ImageJob& job : make_jobs(line, settings)) {
          add_image(std::move(job.request), is_for_each ? &checked_.plan.members[i] : nullptr);
        }
      }
    }
    if (!options_.prompts.empty()) prompts_in(options_.prompts);  // though nobody may use it
  }

  /// @param of whose line of the prompts it is; null: of whom it shows.
  void add_image(ImageRequest request, TeamMember* of) {
    const std::vector<std::string> names =
        list_embedding_names(request, checked_.plan.other_embeddings);
    if (placeholder_names(request.prompt, checked_.plan.other_embeddings).empty()) {
      throw UsageError(
          "\"" + request.prompt +
          "\": has neither {name} nor a <Name>; every picture of a team shows someone");
    }
    for (const std::string& name : names) check_known(name, request.prompt);
    add_remarks(request);
    const auto shown = members_among(names);
    if (of == nullptr && shown.size() == 1) of = shown.front();
    if (options_.only.empty() || (of != nullptr && needs_nobody_else(names, *of))) {
      auto& list = of != nullptr ? of->images : checked_.plan.group_images;
      if (std::find(list.begin(), list.end(), request) == list.end()) {
        list.push_back(std::move(request));
      }
    }
  }

  void add_remarks(const ImageRequest& request) {
    std::vector<std::string>& remarks = checked_.remarks;
    for (const auto& [text, role] : {std::pair(request.prompt, PromptRole::kPositive),
                                     std::pair(request.negative_prompt, PromptRole::kNegative)}) {
      if (!remarked_.emplace(text, role).second) continue;
      for (std::string& remark :
           list_prompt_remarks(text, request.settings.grammar, role, named_)) {
        if (std::find(remarks.begin(), remarks.end(), remark) == remarks.end()) {
          remarks.push_back(std::move(remark));
        }
      }
    }
  }

  static bool is_among(const std::vector<std::string>& names, const std::string& sought) {
    return std::any_of(names.begin(), names.end(),
                       [&sought](const std::string& name) { return is_same_name(name, sought); });
  }

  std::vector<TeamMember*> members_among(const std::vector<std::string>& names) {
    std::vector<TeamMember*> found;
    for (TeamMember& member : checked_.plan.members) {
      if (is_among(names, member.training.inversion.name)) found.push_back(&member);
    }
    return found;
  }

  bool needs_nobody_else(const std::vector<std::string>& names, const TeamMember& member) const {
    return std::all_of(names.begin(), names.end(), [&](const std::string& name) {
      return is_same_name(name, member.training.inversion.name) ||
             checked_.plan.other_embeddings.contains(name);
    });
  }

  void check_known(const std::string& name, const std::string& prompt) const {
    std::vector<std::string> known = names_in_roster();
    for (const RosterProblem& problem : roster_.problems) known.push_back(problem.name);
    for (const auto& [word, embedding] : checked_.plan.other_embeddings.all())
      known.push_back(word);
    if (is_among(known, name)) return;
    throw UsageError("\"" + prompt + "\": <" + name + "> is neither in " + roster_.path.string() +
                     " nor in `embeddings`; the nearest are " +
                     join(nearest_words(name, known, 3), ", "));
  }

  const TeamOptions& options_;
  const ModelOptions& model_;
  const Bundle& bundle_;
  const Tokenizer& tokenizer_;
  const std::string& version_;
  Roster roster_;
  std::vector<Member> members_;  ///< as plan.members
  std::map<std::string, Prompts> prompts_;
  EmbeddingTable named_;                                   ///< all names that a prompt may have
  std::set<std::pair<std::string, PromptRole>> remarked_;  ///< prompts that add_remarks() has seen
  CheckedTeam checked_;
};

}  // namespace

CheckedTeam plan_team(const TeamOptions& options, const ModelOptions& model, const Bundle& bundle,
                      const Tokenizer& tokenizer, const std::string& version) {
  return TeamCheck(options, model, bundle, tokenizer, version).check();
}

void check_images(const TeamPlan& plan, const LoadedModel& model) {
  std::map<std::string, int> planned;
  std::vector<ImageRequest> requests = plan.group_images;
  for (const TeamMember& member : plan.members) {
    const InversionOptions& word = member.training.inversion;
    planned[word.name] = word.vectors;
    requests.insert(requests.end(), member.images.begin(), member.images.end());
  }
  const EmbeddingSizes embeddings(plan.other_embeddings, std::move(planned));
  // Whom such a picture shows is a problem already.
  std::erase_if(requests,
                [&](const auto& one) { return !find_missing_embedding(one, embeddings).empty(); });
  model.generator.check(requests, embeddings);
}

}  // namespace sdx
