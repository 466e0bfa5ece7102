#include "sdx/tokenizer/sentencepiece.h"

#include "sdx/util/error.h"
#include "sdx/util/file.h"
#include "support/temp_folder.h"
#include "tokenizer/golden.h"

#include "support/catch.h"

namespace {

const std::filesystem::path kFolder = std::filesystem::path(SDX_TEST_DATA) / "tiny/tokenizer";

}  // namespace

TEST_CASE("tokenizer: sentencepiece gives the ids that the library gives in Python",
          "[tokenizer]") {
  // sentencepiece 0.2.3, SentencePieceProcessor(model_file=…).encode("A photo of Robot, smiling")
  const auto tokenizer = sdx::load_tokenizer(kFolder);
  CHECK(tokenizer->encode("A photo of Robot, smiling") ==
        std::vector<std::int64_t>{271, 279, 275, 314, 47, 317});
  CHECK(tokenizer->encode("").empty());
}

TEST_CASE("tokenizer: text comes back from its ids, other scripts by bytes", "[tokenizer]") {
  const auto tokenizer = sdx::load_tokenizer(kFolder);
  for (const std::string text : {"a photo of person", "grüße", "漢字 · ok"}) {
    CHECK(tokenizer->decode(tokenizer->encode(text)) == text);
  }
}

TEST_CASE("tokenizer: special tokens are those of tokenizer_config.json", "[tokenizer]") {
  const sdx::SpecialTokens tokens = sdx::load_tokenizer(kFolder)->special_tokens();
  CHECK(tokens.begin == 1);
  CHECK(tokens.end == 2);
  CHECK(tokens.pad == 2);
  CHECK(tokens.max_length == 77);
}

TEST_CASE("tokenizer: a single model file works too", "[tokenizer]") {
  const auto tokenizer = sdx::load_tokenizer(kFolder / "spiece.model");
  CHECK(tokenizer->encode("robot") == sdx::load_tokenizer(kFolder)->encode("robot"));
}

TEST_CASE("tokenizer: a whole word is one entry, case as written", "[tokenizer]") {
  const auto tokenizer = sdx::load_tokenizer(kFolder);
  REQUIRE(tokenizer->whole_word("robot").has_value());
  CHECK(tokenizer->piece(*tokenizer->whole_word("robot")) == "\u2581robot");
  CHECK_FALSE(tokenizer->whole_word("Robot").has_value());
  CHECK_FALSE(tokenizer->whole_word("Johannes").has_value());
  CHECK_FALSE(tokenizer->whole_word("robot robot").has_value());
}

TEST_CASE("tokenizer: what is wrong with a tokenizer is said", "[tokenizer]") {
  const sdx::test::TempFolder folder;
  const auto config = folder.path() / "tokenizer_config.json";
  CHECK_THROWS_AS(sdx::load_tokenizer(folder.path() / "absent.model"), sdx::MissingInputError);
  sdx::write_file_atomically(folder.path() / "bad.model", "not a model");
  CHECK_THROWS_AS(sdx::load_tokenizer(folder.path() / "bad.model"), sdx::DataError);
  sdx::write_file_atomically(config, R"({"tokenizer_class": "WordPiece"})");
  CHECK_THROWS_AS(sdx::load_tokenizer(folder.path()), sdx::DataError);
  sdx::write_file_atomically(
      config,
      R"({"tokenizer_class":"sentencepiece","bos":1,"eos":2,"pad":2,"model_max_length":2})");
  CHECK_THROWS_AS(sdx::load_tokenizer(folder.path()), sdx::DataError);
  const auto tokenizer = sdx::load_tokenizer(kFolder);
  CHECK_THROWS_AS(tokenizer->piece(100'000), sdx::UsageError);
  CHECK_THROWS_AS(tokenizer->decode({-1}), sdx::UsageError);
}

TEST_CASE("tokenizer: sentencepiece's ids are the library's for 2,000 lines of mixed text") {
  const auto unigram = sdx::load_tokenizer(sdx::test::tokenizer_data() / "t5.model");
  CHECK(sdx::test::differing_lines(*unigram, sdx::test::reference_ids("t5")) ==
        std::vector<std::string>{});
  const auto byte_pairs = sdx::load_tokenizer(kFolder);
  CHECK(sdx::test::differing_lines(*byte_pairs, sdx::test::reference_ids("own")) ==
        std::vector<std::string>{});
}

TEST_CASE("tokenizer: a model without a begin token has room for one token more") {
  const sdx::SpecialTokens tokens =
      sdx::load_tokenizer(sdx::test::tokenizer_data() / "t5.model")->special_tokens();
  CHECK_FALSE(tokens.has_begin());
  CHECK(tokens.end == 1);
  CHECK(tokens.pad == 0);
  CHECK(tokens.capacity() == 76);
  CHECK(sdx::load_tokenizer(kFolder)->special_tokens().capacity() == 75);
}

TEST_CASE("tokenizer: a sentencepiece model is written as it is") {
  const sdx::test::TempFolder folder;
  for (const auto& source : {kFolder, kFolder / "spiece.model"}) {
    sdx::write_tokenizer(source, folder.path());
    CHECK(sdx::test::entries_in(folder.path()) == 1);
    CHECK(sdx::test::read_bytes(folder.path() / "spiece.model") ==
          sdx::test::read_bytes(kFolder / "spiece.model"));
  }
  const auto bad = folder.file("bad.model", "not a model");
  CHECK_THROWS_AS(sdx::write_tokenizer(bad, folder.path()), sdx::DataError);
}
