#include "sdx/training/training_identity.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "sdx/dataset/templates.h"
#include "sdx/prompt/prompt_list.h"
#include "sdx/util/data_folder.h"
#include "sdx/util/sha256.h"
#include "sdx/util/text.h"
#include "training/identity_settings.h"

namespace sdx {

namespace {

/// 1 was a record of all options of the command line, without this number.
constexpr int kVersion = 2;

constexpr const char* kTemplates = "templates";

/// A number where the text is one: "0.010" and "0.01" are the same rate.
Json number_or_text(const std::string& text) {
  const Json value = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  return value.is_number() ? value : Json(text);
}

Crop effective_crop(const SubjectOptions& subject) {
  return subject.crop.value_or(subject.kind == SubjectKind::kPerson ? Crop::kFace : Crop::kCentre);
}

std::string text_of_range(int first, int last) {
  return std::to_string(first) + ":" + std::to_string(last);
}

/// How long a loss must be flat decides nothing where training goes on to the last step.
Json if_settling(const TrainingSpec& spec, int value) {
  return spec.trainer.stop_when_settled ? Json(value) : Json();
}

// Not here, as they decide nothing: `memory`, `device`, `threads`, `strict` (a file that cannot be
// used is an error or is skipped), `keep` and the folders. The notes (consent) are in the
// embedding's metadata, but its vectors are the same without them.
constexpr std::array kSettings = {
    IdentitySetting{"name", [](const TrainingSpec& s) { return Json(s.inversion.name); }, true},
    IdentitySetting{"kind", [](const TrainingSpec& s) { return Json(to_string(s.subject.kind)); }},
    IdentitySetting{kTemplates,
                    [](const TrainingSpec& s) { return Json(s.subject.templates_file); }},
    IdentitySetting{
        "crop", [](const TrainingSpec& s) { return Json(to_string(effective_crop(s.subject))); }},
    IdentitySetting{
        "face", [](const TrainingSpec& s) { return Json(to_string(s.subject.portraits.face)); }},
    IdentitySetting{"size", [](const TrainingSpec& s) { return Json(s.subject.size_px); }},
    IdentitySetting{"mirror", [](const TrainingSpec& s) { return Json(s.subject.latents.mirror); }},
    IdentitySetting{
        "mask",
        [](const TrainingSpec& s) { return Json(s.subject.latents.mask_face ? "face" : "none"); }},
    IdentitySetting{"face-detector",
                    [](const TrainingSpec& s) { return Json(s.subject.face_detector); }},
    // Likeness chooses the milestone whose vectors are kept.
    IdentitySetting{"face-network",
                    [](const TrainingSpec& s) { return Json(s.subject.face_network); }},
    IdentitySetting{"init", [](const TrainingSpec& s) { return Json(s.inversion.init); }},
    IdentitySetting{"vectors", [](const TrainingSpec& s) { return Json(s.inversion.vectors); },
                    true},
    IdentitySetting{
        "train-encoders",
        [](const TrainingSpec& s) { return Json(to_string(s.inversion.train_encoders)); }},
    IdentitySetting{
        "lr",
        [](const TrainingSpec& s) { return number_or_text(s.inversion.learning_rate.text()); }},
    IdentitySetting{"batch", [](const TrainingSpec& s) { return Json(s.inversion.batch_size); }},
    IdentitySetting{"accumulate",
                    [](const TrainingSpec& s) { return Json(s.inversion.accumulate); }},
    IdentitySetting{"norm",
                    [](const TrainingSpec& s) { return Json(to_string(s.inversion.norm)); }},
    IdentitySetting{"min-snr", [](const TrainingSpec& s) { return Json(s.inversion.min_snr); }},
    IdentitySetting{"offset-noise",
                    [](const TrainingSpec& s) { return Json(s.inversion.offset_noise); }},
    IdentitySetting{"timesteps",
                    [](const TrainingSpec& s) {
                      return Json(
                          text_of_range(s.inversion.first_timestep, s.inversion.last_timestep));
                    }},
    IdentitySetting{"seed", [](const TrainingSpec& s) { return Json(s.inversion.seed); }},
    IdentitySetting{
        "stop",
        [](const TrainingSpec& s) { return Json(s.trainer.stop_when_settled ? "auto" : "never"); }},
    IdentitySetting{"max-steps", [](const TrainingSpec& s) { return Json(s.inversion.steps); }},
    IdentitySetting{"min-steps",
                    [](const TrainingSpec& s) { return if_settling(s, s.trainer.min_steps); }},
    IdentitySetting{"patience",
                    [](const TrainingSpec& s) { return if_settling(s, s.trainer.patience); }},
    IdentitySetting{"milestone-steps",
                    [](const TrainingSpec& s) { return Json(s.trainer.milestone_steps); }},
    // By previews the vectors are chosen that are kept.
    IdentitySetting{"previews", [](const TrainingSpec& s) { return Json(s.trainer.previews); }},
    IdentitySetting{"dtype", [](const TrainingSpec& s) { return Json(s.model.dtype); }},
};

std::string hash_of_lines(const std::vector<std::string>& lines) {
  return sha256_hex(join(lines, "\n"));
}

Json parse_object(const std::string& text, const std::string& where) {
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    throw DataError(where + ": expected one JSON object of what was trained");
  }
  return json;
}

Json value_at(const std::map<std::string, std::string>& settings, const IdentitySetting& row) {
  const auto found = settings.find(std::string(row.key));
  return found == settings.end() ? row.value(TrainingSpec{}) : Json::parse(found->second);
}

bool is_same_number(const Json& number, const Json& text) {
  return number.is_number() && text.is_string() && number_or_text(text) == number;
}

/// Tolerates what commit 4ce8870 did to texts that look like numbers.
bool is_same(const Json& then, const Json& now) {
  return then.is_null() || now.is_null() || then == now || is_same_number(then, now) ||
         is_same_number(now, then);
}

/// As the options of the command line in an old record mean the settings.
void convert_end(const Json& options, std::map<std::string, std::string>& settings) {
  const auto number = [&](const char* key) {
    const auto found = options.find(key);
    return found != options.end() && json_holds<int>(*found) ? found->get<int>() : 0;
  };
  if (const int exact = number("steps"); exact > 0) {
    settings["max-steps"] = std::to_string(exact);
    settings["stop"] = Json("never").dump();
  }
}

/// Values that have one text now and had several.
Json convert_value(const Json& options, const std::string& key, Json value) {
  if (!value.is_string()) return value;
  const auto text = value.get<std::string>();
  if (key == "crop" && text == "auto") {
    const bool is_person = options.value("kind", Json("person")) == "person";
    return to_string(is_person ? Crop::kFace : Crop::kCentre);
  }
  int first = 0;
  int last = 0;
  if (key == "timesteps" && std::sscanf(text.c_str(), "%d:%d", &first, &last) == 2) {
    return text_of_range(first, last);
  }
  if (key == "lr") return number_or_text(trim(text));
  // Each device had its own, and a team's records said "auto" whatever its run was told.
  if (key == "dtype" && text == "auto") return nullptr;
  return value;
}

}  // namespace

std::span<const IdentitySetting> identity_settings() { return kSettings; }

std::map<std::string, std::string> read_settings(const Json& json,
                                                 std::span<const IdentitySetting> rows,
                                                 const std::string& where) {
  std::map<std::string, std::string> settings;
  for (const auto& [key, value] : json.items()) {
    const auto row = std::find_if(rows.begin(), rows.end(), [&name = key](const auto& one) {
      return one.key == name || (!one.former.empty() && one.former == name);
    });
    if (row == rows.end()) {
      throw LaterVersionError(where + ": made by a later version of sdx: `" + key +
                              "` is a setting that this version does not know");
    }
    settings[std::string(row->key)] = value.dump();
  }
  return settings;
}

void compare_settings(const std::map<std::string, std::string>& then,
                      const std::map<std::string, std::string>& now,
                      std::span<const IdentitySetting> rows, IdentityDifference& difference) {
  for (const IdentitySetting& row : rows) {
    const Json before = value_at(then, row);
    const Json after = value_at(now, row);
    if (is_same(before, after)) continue;
    const std::string line =
        "`" + std::string(row.key) + "`: it had " + before.dump() + ", found " + after.dump();
    (row.is_fatal ? difference.fatal : difference.other).push_back(line);
  }
}

TrainingIdentity identify_training(const TrainingSpec& spec, const Bundle& bundle,
                                   const std::string& portraits_hash) {
  TrainingIdentity identity;
  for (const IdentitySetting& row : kSettings) {
    identity.settings[std::string(row.key)] =
        row.value(spec).dump(-1, ' ', false, Json::error_handler_t::replace);
  }
  identity.model_hash = bundle.short_hash();
  identity.portraits_hash = portraits_hash;
  identity.contents[kTemplates] = hash_of_lines(spec.templates);
  identity.contents["previews"] = hash_of_lines(load_previews());
  const std::string& init =
      spec.inversion.init.empty() ? bundle.info().init_text : spec.inversion.init;
  if (init == "cross") {
    identity.contents["names"] =
        hash_of_lines(read_prompt_file(data_folder() / "templates" / "names.txt"));
  }
  return identity;
}

IdentityDifference compare(const TrainingIdentity& then, const TrainingIdentity& now) {
  IdentityDifference difference;
  if (then.model_hash != now.model_hash) {
    difference.fatal.push_back("`model`: it was trained with weights " + then.model_hash +
                               ", found " + now.model_hash);
  }
  const bool other_precision =
      !then.precision.empty() && !now.precision.empty() && then.precision != now.precision;
  if (other_precision) {
    difference.other.push_back("`dtype`: it computed in " + then.precision + ", found " +
                               now.precision + ", which makes other latents of the pictures");
  } else if (then.portraits_hash != now.portraits_hash) {
    difference.other.push_back("the pictures are others than before, or cut otherwise");
  }
  // Which file the sentences are from matters only where nobody knows what was in it.
  TrainingIdentity same_file = now;
  if (then.contents.contains(kTemplates) && now.contents.contains(kTemplates)) {
    same_file.settings[kTemplates] = "null";
  }
  compare_settings(then.settings, same_file.settings, kSettings, difference);
  for (const auto& [file, hash] : now.contents) {
    const auto before = then.contents.find(file);
    if (before == then.contents.end() || before->second == hash) continue;
    difference.other.push_back("the " + file + " are others than before");
  }
  return difference;
}

std::string to_json_text(const TrainingIdentity& identity) {
  Json settings = Json::object();
  for (const IdentitySetting& row : kSettings) {
    const auto found = identity.settings.find(std::string(row.key));
    if (found != identity.settings.end()) settings[found->first] = Json::parse(found->second);
  }
  Json json = {{"version", kVersion},
               {"settings", settings},
               {"model_hash", identity.model_hash},
               {"portraits_hash", identity.portraits_hash},
               {"contents_sha256", identity.contents}};
  if (!identity.precision.empty()) json["precision"] = identity.precision;
  return json.dump();
}

TrainingIdentity parse_training_identity(const std::string& json, const std::string& where) {
  const Json object = parse_object(json, where);
  if (const int version = json_value<int>(object, "version", where); version > kVersion) {
    throw LaterVersionError(where + ": made by a later version of sdx (its form is " +
                            std::to_string(version) + ", this version reads up to " +
                            std::to_string(kVersion) + ")");
  }
  TrainingIdentity identity;
  identity.settings = read_settings(json_value<Json>(object, "settings", where), kSettings, where);
  identity.model_hash = json_value<std::string>(object, "model_hash", where);
  identity.portraits_hash = json_value<std::string>(object, "portraits_hash", where);
  identity.contents =
      json_value<std::map<std::string, std::string>>(object, "contents_sha256", where, {});
  identity.precision = json_value<std::string>(object, "precision", where, "");
  return identity;
}

TrainingIdentity convert_option_record(const std::string& json, const std::string& where) {
  const Json options = parse_object(json, where);
  TrainingIdentity identity;
  for (const IdentitySetting& row : kSettings) {
    const std::string key(row.key);
    const auto found = options.find(key);
    if (found == options.end()) continue;
    identity.settings[key] = convert_value(options, key, *found).dump();
  }
  convert_end(options, identity.settings);
  return identity;
}

}  // namespace sdx
