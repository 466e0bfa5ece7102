#include "sdx/training/training_identity.h"

#include <array>
#include <functional>

#include "sdx/util/file.h"
#include "sdx/util/json.h"
#include "support/throws.h"
#include "support/tiny_bundle.h"
#include "training/identity_settings.h"

#include "support/catch.h"

using Catch::Matchers::ContainsSubstring;
using sdx::test::catch_message;
using sdx::test::tiny_bundle;
namespace fs = std::filesystem;

namespace {

using Lines = std::vector<std::string>;

sdx::TrainingSpec example() {
  sdx::TrainingSpec spec;
  spec.inversion.name = "Ada";
  spec.inversion.init = "a robot";
  spec.templates = {"a photo of {name}", "{name}, smiling"};
  return spec;
}

sdx::TrainingIdentity identify(const sdx::TrainingSpec& spec) {
  return sdx::identify_training(spec, tiny_bundle(), "faces");
}

/// The record of a training, read after `change` was made to it.
template <typename Change>
sdx::TrainingIdentity read_changed(const sdx::TrainingIdentity& identity, Change change) {
  sdx::Json json = sdx::Json::parse(sdx::to_json_text(identity));
  change(json);
  return sdx::parse_training_identity(json.dump(), "record.json");
}

/// The settings of a record of commit 4ce8870.
sdx::Json old_options() {
  const fs::path team = fs::path(SDX_TEST_DATA) / "team-4ce8870/team";
  return sdx::read_json_file(team / "people/Ada1/record.json")["settings"];
}

/// What `sdx-roster run` asks for in that team.
sdx::TrainingSpec old_team_spec() {
  sdx::TrainingSpec spec;
  spec.inversion.name = "Ada1";
  spec.subject.crop = sdx::Crop::kCentre;
  spec.inversion.learning_rate = sdx::LearningRate::parse("0.010");
  spec.inversion.batch_size = 1;
  spec.inversion.steps = 20;
  spec.trainer = {false, 60, 60, 10};
  return spec;
}

sdx::IdentityDifference compare_old(const sdx::Json& options, const sdx::TrainingSpec& now) {
  sdx::TrainingIdentity then = sdx::convert_option_record(options.dump(), "record.json");
  then.model_hash = tiny_bundle().short_hash();
  then.portraits_hash = "faces";
  return sdx::compare(then, identify(now));
}

}  // namespace

TEST_CASE("training identity: it comes back as it was written") {
  const sdx::TrainingIdentity identity = identify(example());
  CHECK(sdx::parse_training_identity(sdx::to_json_text(identity), "x") == identity);
  CHECK(identity.settings.at("init") == "\"a robot\"");
  CHECK(identity.settings.at("vectors") == "2");
  CHECK(identity.contents.size() == 2);
  CHECK(sdx::compare(identity, identity).is_none());
}

TEST_CASE("training identity: a key that is missing means its default") {
  const sdx::TrainingIdentity then = read_changed(
      identify(example()), [](sdx::Json& json) { json["settings"].erase("offset-noise"); });
  CHECK(sdx::compare(then, identify(example())).is_none());
  sdx::TrainingSpec now = example();
  now.inversion.offset_noise = 0.1;
  CHECK(sdx::compare(then, identify(now)).other == Lines{"`offset-noise`: it had 0.0, found 0.1"});
}

TEST_CASE("training identity: a setting that was renamed is the same one") {
  constexpr std::array kRows = {
      sdx::IdentitySetting{"steps", [](const auto& s) { return sdx::Json(s.inversion.steps); }},
      sdx::IdentitySetting{"learning-rate", [](const auto&) { return sdx::Json(0.01); }, false,
                           "lr"},
      // One that was added later.
      sdx::IdentitySetting{"dropout", [](const auto&) { return sdx::Json(0); }}};
  const auto then = sdx::read_settings({{"steps", 400}, {"lr", 0.02}}, kRows, "record.json");
  CHECK(then.at("learning-rate") == "0.02");
  const auto differences = [&](const std::map<std::string, std::string>& now) {
    sdx::IdentityDifference difference;
    sdx::compare_settings(then, now, kRows, difference);
    return difference.other;
  };
  CHECK(differences({{"learning-rate", "0.02"}, {"dropout", "0"}}).empty());
  CHECK(differences({{"learning-rate", "0.5"}, {"dropout", "1"}}) ==
        Lines{"`learning-rate`: it had 0.02, found 0.5", "`dropout`: it had 0, found 1"});
}

TEST_CASE("training identity: what a later version made is refused, and said so") {
  const sdx::TrainingIdentity identity = identify(example());
  const std::string version = catch_message<sdx::LaterVersionError>(
      [&] { read_changed(identity, [](sdx::Json& json) { json["version"] = 3; }); });
  CHECK(version ==
        "record.json: made by a later version of sdx (its form is 3, this version reads up to 2)");
  const std::string key = catch_message<sdx::LaterVersionError>(
      [&] { read_changed(identity, [](sdx::Json& json) { json["settings"]["warp"] = 9; }); });
  CHECK(key ==
        "record.json: made by a later version of sdx: `warp` is a setting that this version does "
        "not know");
  CHECK_THROWS_AS(sdx::parse_training_identity("[]", "x"), sdx::DataError);
  CHECK_THROWS_AS(sdx::parse_training_identity("{}", "x"), sdx::DataError);
}

TEST_CASE("training identity: each setting that decides the vectors is compared") {
  struct Case {
    std::string line;
    std::function<void(sdx::TrainingSpec&)> change;
  };
  const std::vector<Case> cases = {
      {"`kind`: it had \"person\", found \"object\"; `crop`: it had \"face\", found \"center\"",
       [](auto& s) { s.subject.kind = sdx::SubjectKind::kObject; }},
      {"`crop`: it had \"face\", found \"none\"",
       [](auto& s) { s.subject.crop = sdx::Crop::kNone; }},
      {"", [](auto& s) { s.subject.crop = sdx::Crop::kFace; }},  // as "auto" chose
      {"`face`: it had \"largest\", found \"match\"",
       [](auto& s) { s.subject.portraits.face = sdx::FaceChoice::kMatch; }},
      {"", [](auto& s) { s.subject.portraits.strict = true; }},
      {"`mirror`: it had false, found true", [](auto& s) { s.subject.latents.mirror = true; }},
      {"`mask`: it had \"none\", found \"face\"",
       [](auto& s) { s.subject.latents.mask_face = true; }},
      {"`face-detector`: it had \"\", found \"y.onnx\"",
       [](auto& s) { s.subject.face_detector = "y.onnx"; }},
      {"`face-network`: it had \"\", found \"d\"", [](auto& s) { s.subject.face_network = "d"; }},
      {"`init`: it had \"a robot\", found \"007\"", [](auto& s) { s.inversion.init = "007"; }},
      {"`lr`: it had 0.01, found \"0.01 cosine\"",
       [](auto& s) { s.inversion.learning_rate = sdx::LearningRate::parse("0.01 cosine"); }},
      {"`batch`: it had 4, found 2", [](auto& s) { s.inversion.batch_size = 2; }},
      {"`accumulate`: it had 1, found 2", [](auto& s) { s.inversion.accumulate = 2; }},
      {"`norm`: it had \"free\", found \"init\"",
       [](auto& s) { s.inversion.norm = sdx::NormPolicy::kStart; }},
      {"`min-snr`: it had 0.0, found 5.0", [](auto& s) { s.inversion.min_snr = 5; }},
      {"`timesteps`: it had \"0:999\", found \"5:999\"",
       [](auto& s) { s.inversion.first_timestep = 5; }},
      {"`seed`: it had 0, found 18446744073709551615", [](auto& s) { s.inversion.seed = ~0ULL; }},
      {"`stop`: it had \"auto\", found \"never\"",
       [](auto& s) { s.trainer.stop_when_settled = false; }},
      {"`max-steps`: it had 400, found 401", [](auto& s) { s.inversion.steps = 401; }},
      {"`min-steps`: it had 100, found 1", [](auto& s) { s.trainer.min_steps = 1; }},
      {"`patience`: it had 100, found 1", [](auto& s) { s.trainer.patience = 1; }},
      {"`milestone-steps`: it had 50, found 1", [](auto& s) { s.trainer.milestone_steps = 1; }},
      {"`dtype`: it had \"auto\", found \"bf16\"", [](auto& s) { s.model.dtype = "bf16"; }},
      {"", [](auto& s) { s.memory = sdx::MemoryChoice::kLow; }},
      {"", [](auto& s) { s.portraits = "elsewhere"; }},
      {"", [](auto& s) { s.notes["sdx.consent"] = "yes"; }},
      {"", [](auto& s) { s.model.threads = 7; }},
  };
  for (const Case& one : cases) {
    sdx::TrainingSpec now = example();
    one.change(now);
    const sdx::IdentityDifference difference = sdx::compare(identify(example()), identify(now));
    CHECK(difference.fatal.empty());
    std::string lines;
    for (const std::string& line : difference.other) lines += (lines.empty() ? "" : "; ") + line;
    CHECK(lines == one.line);
  }
}

TEST_CASE("training identity: how long a loss must be flat is nothing where no stop is wanted") {
  sdx::TrainingSpec then = example();
  then.trainer.stop_when_settled = false;
  sdx::TrainingSpec now = then;
  now.trainer.patience = 7;
  CHECK(sdx::compare(identify(then), identify(now)).is_none());
}

TEST_CASE("training identity: another model and another shape are fatal") {
  sdx::TrainingIdentity now = identify(example());
  now.model_hash = "zzz";
  now.settings["vectors"] = "3";
  now.settings["name"] = "\"Eve\"";
  const sdx::IdentityDifference difference = sdx::compare(identify(example()), now);
  CHECK(difference.fatal ==
        Lines{"`model`: it was trained with weights " + tiny_bundle().short_hash() + ", found zzz",
              "`name`: it had \"Ada\", found \"Eve\"", "`vectors`: it had 2, found 3"});
  CHECK(difference.other.empty());
}

TEST_CASE("training identity: sentences count by what they say, not by where they lie") {
  sdx::TrainingSpec now = example();
  now.subject.templates_file = "moved.txt";
  CHECK(sdx::compare(identify(example()), identify(now)).is_none());
  now.templates[1] = "{name}, frowning";
  CHECK(sdx::compare(identify(example()), identify(now)).other ==
        Lines{"the templates are others than before"});

  sdx::TrainingIdentity edited = identify(example());
  edited.contents["previews"] = "another hash";
  CHECK(sdx::compare(identify(example()), edited).other ==
        Lines{"the previews are others than before"});

  now = example();
  now.inversion.init = "cross";
  sdx::TrainingIdentity other_names = identify(now);
  other_names.contents["names"] = "another hash";
  CHECK(sdx::compare(identify(now), other_names).other ==
        Lines{"the names are others than before"});
}

TEST_CASE("training identity: a record of commit 4ce8870 is what the same command asks for now") {
  const sdx::Json options = old_options();
  const sdx::IdentityDifference same = compare_old(options, old_team_spec());
  CHECK(same.fatal == Lines{});
  CHECK(same.other == Lines{});

  sdx::TrainingSpec now = old_team_spec();
  now.inversion.min_snr = 5;
  now.inversion.steps = 30;
  CHECK(compare_old(options, now).other ==
        Lines{"`min-snr`: it had 0, found 5.0", "`max-steps`: it had 20, found 30"});

  // Nobody knows what was in the file; that it was another one is known.
  now = old_team_spec();
  now.subject.templates_file = "mine.txt";
  CHECK(compare_old(options, now).other == Lines{"`templates`: it had \"\", found \"mine.txt\""});
}

TEST_CASE("training identity: an old record without a key") {
  sdx::Json options = old_options();
  options.erase("min-snr");
  options.erase("accumulate");
  options["an-option-of-then"] = 3;  // of which nothing is known but that it decided nothing
  CHECK(compare_old(options, old_team_spec()).is_none());
}

TEST_CASE("training identity: texts that an old record took for numbers") {
  sdx::Json options = old_options();
  sdx::TrainingSpec now = old_team_spec();
  const auto check = [&](const char* key, const sdx::Json& then, std::string& setting,
                         const std::string& same, const std::string& other) {
    options[key] = then;
    setting = same;
    CHECK(compare_old(options, now).is_none());
    setting = other;
    CHECK_FALSE(compare_old(options, now).is_none());
    setting = same;
  };
  check("name", 1.1, now.inversion.name, "1.10", "1.2");
  check("init", 100000.0, now.inversion.init, "1e5", "1e6");
  check("face-detector", 7, now.subject.face_detector, "7", "8");
  // In a record of today they are texts.
  sdx::TrainingSpec short_name = now;
  short_name.inversion.name = "1.1";
  CHECK_FALSE(sdx::compare(identify(now), identify(short_name)).is_none());
}

TEST_CASE("training identity: an old record's words for the end, the crop, and the dtype") {
  sdx::Json options = old_options();
  sdx::TrainingSpec now = old_team_spec();
  options["steps"] = 0;
  now.inversion.steps = 400;
  now.trainer.stop_when_settled = true;
  CHECK(compare_old(options, now).is_none());
  now.trainer.patience = 7;
  CHECK(compare_old(options, now).other == Lines{"`patience`: it had 60, found 7"});
  now.trainer.patience = 60;
  options["stop"] = "never";
  CHECK(compare_old(options, now).other == Lines{"`stop`: it had \"never\", found \"auto\""});
  options["stop"] = "auto";

  options["crop"] = "auto";
  now.subject.crop = sdx::Crop::kFace;
  CHECK(compare_old(options, now).is_none());
  now.subject.crop = sdx::Crop::kCentre;
  options["kind"] = "style";
  now.subject.kind = sdx::SubjectKind::kStyle;
  CHECK(compare_old(options, now).is_none());

  options["timesteps"] = "000:0999";
  options["lr"] = " 0.01 ";
  CHECK(compare_old(options, now).is_none());

  now.model.dtype = "bf16";
  CHECK(compare_old(options, now).is_none());  // "auto" says nothing about what it was
  options["dtype"] = "fp32";
  CHECK(compare_old(options, now).other == Lines{"`dtype`: it had \"fp32\", found \"bf16\""});
}

TEST_CASE("training: two precisions are named, where both are known", "[training]") {
  sdx::TrainingIdentity then = identify({});
  then.precision = "fp16";
  then.portraits_hash = "latents in fp16";
  sdx::TrainingIdentity now = identify({});
  now.precision = "fp32";
  CHECK(sdx::compare(then, now).other ==
        std::vector<std::string>{"`dtype`: it computed in fp16, found fp32, which makes other "
                                 "latents of the pictures"});
  CHECK(sdx::parse_training_identity(sdx::to_json_text(then), "x").precision == "fp16");
  then.precision.clear();  // of a version that did not write it
  CHECK(sdx::compare(then, now).other ==
        std::vector<std::string>{"the pictures are others than before, or cut otherwise"});
  CHECK(sdx::to_json_text(then).find("precision") == std::string::npos);
}
