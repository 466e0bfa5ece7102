#include "sdx/roster/member_record.h"

#include "sdx/util/file.h"
#include "sdx/util/json.h"
#include "sdx/util/sha256.h"
#include "support/temp_folder.h"
#include "support/throws.h"

#include "support/catch.h"

using Catch::Matchers::ContainsSubstring;
using sdx::test::TempFolder;
namespace fs = std::filesystem;

namespace {

/// An embedding that is there, and the record of how it came about.
struct Trained {
  Trained() {
    record.identity.settings = {{"name", "\"Ada\""}, {"lr", "0.005"}};
    record.identity.model_hash = "model";
    record.identity.portraits_hash = "faces";
    record.result.emplace().steps = 20;
    record.embedding_hash = sdx::sha256_of_file(embedding);
  }
  TempFolder folder;
  fs::path embedding = folder.file("Ada.safetensors", "vectors");
  sdx::MemberRecord record;
};

/// The folder of a person in a team that commit 4ce8870 made.
fs::path old_person() { return fs::path(SDX_TEST_DATA) / "team-4ce8870/team/people/Ada1"; }

}  // namespace

TEST_CASE("roster: a record is read as it was written", "[roster]") {
  const Trained ada;
  CHECK_FALSE(sdx::read_record(ada.folder.path()));
  sdx::MemberRecord failed = ada.record;
  failed.failure = {sdx::ExitCode::kIo, "disk full"};
  sdx::write_record(ada.folder.path(), failed);
  const auto read = sdx::read_record(ada.folder.path());
  REQUIRE(read);
  CHECK(read->identity == ada.record.identity);
  REQUIRE(read->result);
  CHECK(read->result->steps == 20);
  CHECK(read->embedding_hash == ada.record.embedding_hash);
  REQUIRE(read->failure);
  CHECK(read->failure->code == sdx::ExitCode::kIo);
  CHECK(read->failure->text == "disk full");

  ada.folder.file("record.json", "{\"settings\": {}}");
  CHECK_FALSE(sdx::read_record(ada.folder.path()));
  ada.folder.file("record.json", "{");
  CHECK_FALSE(sdx::read_record(ada.folder.path()));
}

TEST_CASE("roster: a record of commit 4ce8870 is read, and written again in today's form",
          "[roster]") {
  const auto old = sdx::read_record(old_person());
  REQUIRE(old);
  CHECK(old->identity.model_hash == "f96329ecd5");
  CHECK(old->identity.portraits_hash.starts_with("06225c5c"));
  CHECK(old->identity.settings.at("milestone-steps") == "10");
  CHECK(old->identity.settings.at("dtype") == "null");
  CHECK(old->identity.contents.empty());
  REQUIRE(old->result);
  CHECK(old->result->start == "person");
  CHECK(old->result->reason == sdx::StopReason::kAllSteps);

  const TempFolder folder;
  sdx::write_record(folder.path(), *old);
  const auto again = sdx::read_record(folder.path());
  REQUIRE(again);
  CHECK(again->identity == old->identity);
  CHECK(sdx::to_json_text(*again->result) == sdx::to_json_text(*old->result));
  CHECK(sdx::compare(again->identity, old->identity).is_none());
}

TEST_CASE("roster: a record without a key has its default", "[roster]") {
  const TempFolder folder;
  sdx::Json json = sdx::read_json_file(old_person() / "record.json");
  json["settings"].erase("min-snr");
  json["settings"].erase("mirror");
  folder.file("record.json", json.dump());
  const auto read = sdx::read_record(folder.path());
  REQUIRE(read);
  CHECK(sdx::compare(read->identity, sdx::read_record(old_person())->identity).is_none());
}

TEST_CASE("roster: a record of a later version is refused, not replaced", "[roster]") {
  const Trained ada;
  sdx::write_record(ada.folder.path(), ada.record);
  sdx::Json json = sdx::read_json_file(ada.folder.path() / "record.json");
  json["identity"]["version"] = 3;
  ada.folder.file("record.json", json.dump());
  const std::string message = sdx::test::catch_message<sdx::LaterVersionError>(
      [&] { sdx::read_record(ada.folder.path()); });
  CHECK_THAT(message, ContainsSubstring("record.json: made by a later version of sdx"));
}

TEST_CASE("roster: why somebody must be trained", "[roster]") {
  const Trained ada;
  const sdx::TrainingIdentity& then = ada.record.identity;
  const auto why = [&](const sdx::TrainingIdentity& now) {
    return sdx::why_train(ada.record, now, ada.embedding).value_or("");
  };
  CHECK(why(then).empty());
  CHECK(sdx::why_train(std::nullopt, then, ada.embedding) == "is new");

  sdx::TrainingIdentity now = then;
  now.settings["lr"] = "0.01";
  CHECK(why(now) == "`lr`: it had 0.005, found 0.01");
  now = then;
  now.portraits_hash = "other faces";
  CHECK_THAT(why(now), ContainsSubstring("pictures are others"));
  now = then;
  now.model_hash = "other";
  CHECK_THAT(why(now), ContainsSubstring("model"));

  ada.folder.file("Ada.safetensors", "others");
  CHECK_THAT(why(then), ContainsSubstring("not the file that was written"));
  fs::remove(ada.embedding);
  CHECK(why(then) == "Ada.safetensors is gone");
}

TEST_CASE("roster: portraits are told from others by name and content", "[roster]") {
  const TempFolder folder;
  folder.file("1.png", "a");
  folder.file("2.png", "b");
  const std::string hash = sdx::hash_of_portraits(folder.path());
  folder.file(".DS_Store", "x");
  CHECK(sdx::hash_of_portraits(folder.path()) == hash);
  folder.file("2.png", "c");
  CHECK(sdx::hash_of_portraits(folder.path()) != hash);
  folder.file("2.png", "b");
  CHECK(sdx::hash_of_portraits(folder.path()) == hash);
  fs::rename(folder.path() / "2.png", folder.path() / "3.png");
  CHECK(sdx::hash_of_portraits(folder.path()) != hash);
}
