#include "sdx/roster/member_record.h"

#include "sdx/util/sha256.h"
#include "support/temp_folder.h"

#include "support/catch.h"

using Catch::Matchers::ContainsSubstring;
using sdx::test::TempFolder;
namespace fs = std::filesystem;

namespace {

/// A word that is there, and the record of how it came about.
struct Trained {
  TempFolder folder;
  fs::path word = folder.file("Ada.safetensors", "vectors");
  sdx::TrainingOrigin origin{{{"name", "Ada"}, {"lr", "0.005"}, {"threads", 1}}, "model", "faces"};
  sdx::MemberRecord record{origin, {{"steps", 20}}, sdx::sha256_of_file(word), std::nullopt};
};

}  // namespace

TEST_CASE("roster: a record is read as it was written", "[roster]") {
  const Trained ada;
  CHECK_FALSE(sdx::read_record(ada.folder.path()));
  sdx::MemberRecord failed = ada.record;
  failed.failure = {sdx::ExitCode::kIo, "disk full"};
  sdx::write_record(ada.folder.path(), failed);
  const auto read = sdx::read_record(ada.folder.path());
  REQUIRE(read);
  CHECK(read->origin.options == ada.origin.options);
  CHECK(read->origin.model_hash == "model");
  CHECK(read->origin.pictures_hash == "faces");
  CHECK(read->result == ada.record.result);
  CHECK(read->embedding_hash == ada.record.embedding_hash);
  REQUIRE(read->failure);
  CHECK(read->failure->code == sdx::ExitCode::kIo);
  CHECK(read->failure->text == "disk full");

  ada.folder.file("record.json", "{\"settings\": {}}");
  CHECK_FALSE(sdx::read_record(ada.folder.path()));
  ada.folder.file("record.json", "{");
  CHECK_FALSE(sdx::read_record(ada.folder.path()));
}

TEST_CASE("roster: why somebody must be trained", "[roster]") {
  const Trained ada;
  const auto why = [&](const sdx::TrainingOrigin& now) {
    return sdx::why_train(ada.record, now, ada.word).value_or("");
  };
  CHECK(why(ada.origin).empty());
  CHECK(sdx::why_train(std::nullopt, ada.origin, ada.word) == "is new");

  sdx::TrainingOrigin now = ada.origin;
  now.options["threads"] = 4;
  CHECK(why(now).empty());
  now.options["lr"] = "0.01";
  CHECK_THAT(why(now), ContainsSubstring("--lr: it had \"0.005\", found \"0.01\""));
  now = ada.origin;
  now.pictures_hash = "other faces";
  CHECK_THAT(why(now), ContainsSubstring("pictures are others"));
  now = ada.origin;
  now.model_hash = "other";
  CHECK_THAT(why(now), ContainsSubstring("model"));

  ada.folder.file("Ada.safetensors", "others");
  CHECK_THAT(why(ada.origin), ContainsSubstring("not the file that was written"));
  fs::remove(ada.word);
  CHECK(why(ada.origin) == "Ada.safetensors is gone");
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
