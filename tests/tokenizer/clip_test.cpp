#include "sdx/tokenizer/clip.h"

#include "sdx/util/error.h"
#include "support/throws.h"
#include "tokenizer/golden.h"

#include "support/catch.h"

namespace fs = std::filesystem;
using sdx::clip_settings;
using sdx::ClipPadding;
using sdx::test::catch_message;
using sdx::test::contains;
using sdx::test::read_bytes;
using sdx::test::TempFolder;
using Ids = std::vector<std::int64_t>;

namespace {

/// CLIP's vocabulary as the toolkit carries it.
const fs::path kFolder = fs::path(SDX_SHARE_DIR) / "tokenizers/clip";

std::unique_ptr<sdx::Tokenizer> clip(ClipPadding padding = ClipPadding::kEndOfText) {
  return sdx::load_tokenizer(kFolder, clip_settings(padding));
}

constexpr const char* kSmallVocabulary =
    R"({"a":0,"b":1,"a</w>":2,"b</w>":3,"ab</w>":4,"<|startoftext|>":5,"<|endoftext|>":6})";

/// A folder with a tokenizer of two letters and one merge, to break.
struct SmallClip {
  SmallClip() {
    folder.file("vocab.json", kSmallVocabulary);
    folder.file("merges.txt", "#version: 0.2\na b</w>\n");
  }
  const fs::path& path() const { return folder.path(); }
  std::string refusal() const {
    return catch_message<sdx::DataError>([this] { sdx::load_tokenizer(path()); });
  }

  TempFolder folder;
};

/// The same vocabulary as `folder`'s vocab.json and merges.txt, as a tokenizer.json.
std::string tokenizer_json(const fs::path& folder, bool merges_are_lists) {
  std::istringstream lines(read_bytes(folder / "merges.txt"));
  nlohmann::json merges = nlohmann::json::array();
  std::string line;
  std::getline(lines, line);  // the version
  while (std::getline(lines, line)) {
    const std::size_t blank = line.find(' ');
    if (merges_are_lists) {
      merges.push_back({line.substr(0, blank), line.substr(blank + 1)});
    } else {
      merges.push_back(line);
    }
  }
  const nlohmann::json model = {{"type", "BPE"},
                                {"vocab", nlohmann::json::parse(read_bytes(folder / "vocab.json"))},
                                {"merges", merges}};
  return nlohmann::json({{"model", model}}).dump();
}

}  // namespace

TEST_CASE("tokenizer: CLIP's gives transformers' ids for 2,000 lines of mixed text") {
  const sdx::test::IdsByLine reference = sdx::test::reference_ids("sd1");
  REQUIRE(reference.size() == 2000);
  CHECK(sdx::test::differing_lines(*clip(), reference) == std::vector<std::string>{});
}

TEST_CASE("tokenizer: so does Stable Diffusion 2's, where every ! is the padding token") {
  const auto tokenizer = clip(ClipPadding::kExclamationMark);
  sdx::test::IdsByLine reference = sdx::test::reference_ids("sd2");  // those that differ from sd1's
  REQUIRE(reference.size() > 50);
  reference.merge(sdx::test::reference_ids("sd1"));
  CHECK(sdx::test::differing_lines(*tokenizer, reference) == std::vector<std::string>{});
  CHECK(tokenizer->encode("wow!!") == Ids{2781, 0, 0});
  CHECK(clip()->encode("wow!!") == Ids{2781, 748});
}

TEST_CASE("tokenizer: CLIP's ids are those that everybody knows") {
  CHECK(clip()->encode("a photo of a cat") == Ids{320, 1125, 539, 320, 2368});
  CHECK(clip()->encode("  A PHOTO\tof a\u3000cat ") == Ids{320, 1125, 539, 320, 2368});
  CHECK(clip()->encode("").empty());
  CHECK(clip()->encode(" \n").empty());
}

TEST_CASE("tokenizer: CLIP's vocabulary follows from its merges") {
  const auto tokenizer = clip();
  CHECK(tokenizer->vocabulary_size() == 49'408);
  CHECK(tokenizer->piece(0) == "!");
  CHECK(tokenizer->piece(256) == "!</w>");
  CHECK(tokenizer->piece(512) == "in");
  CHECK(tokenizer->piece(49'406) == "<|startoftext|>");
  CHECK(tokenizer->piece(49'407) == "<|endoftext|>");
  CHECK_THROWS_AS(tokenizer->piece(49'408), sdx::UsageError);
  CHECK_THROWS_AS(tokenizer->decode({-1}), sdx::UsageError);
}

TEST_CASE("tokenizer: CLIP's text comes back in lower case, with a blank after every word") {
  const auto tokenizer = clip();
  CHECK(tokenizer->decode(tokenizer->encode("It's a Photo, isn't it?")) ==
        "it 's a photo , isn 't it ?");
  CHECK(tokenizer->decode(tokenizer->encode("grüße 漢字 🦊")) == "grüße 漢字 🦊");
  const Ids fox = tokenizer->encode("🦊");
  REQUIRE(fox.size() == 2);
  CHECK(tokenizer->decode({fox.front()}) == "\uFFFD\uFFFD\uFFFD");
  CHECK(tokenizer->decode({49'406, 320, 49'407}) == "<|startoftext|>a <|endoftext|>");
}

TEST_CASE("tokenizer: a whole word of CLIP's is one entry, case as written") {
  const auto tokenizer = clip();
  CHECK(tokenizer->whole_word("cat") == 2368);
  CHECK_FALSE(tokenizer->whole_word("Cat").has_value());
  CHECK_FALSE(tokenizer->whole_word("johannesburger").has_value());
  CHECK_FALSE(tokenizer->whole_word("cat cat").has_value());
  CHECK_FALSE(tokenizer->whole_word(" cat").has_value());
  CHECK_FALSE(tokenizer->whole_word("").has_value());
  CHECK_FALSE(tokenizer->whole_word("<|endoftext|>").has_value());
}

TEST_CASE("tokenizer: bytes that are not UTF-8 read as U+FFFD") {
  const auto tokenizer = clip();
  CHECK(tokenizer->encode("a\xFF\xE6\xBC") == tokenizer->encode("a\uFFFD\uFFFD\uFFFD"));
  CHECK(tokenizer->encode("\xED\xA0\x80").size() == tokenizer->encode("\uFFFD\uFFFD\uFFFD").size());
}

TEST_CASE("tokenizer: a very long word does not take the square of its length") {
  CHECK(clip()->encode(std::string(200'000, 'x')).size() < 200'000);
}

TEST_CASE("tokenizer: CLIP's settings are read from transformers' forms") {
  const sdx::TokenizerSettings carried = sdx::read_tokenizer_settings(kFolder);
  CHECK(carried.kind == sdx::TokenizerKind::kClip);
  CHECK(carried.special_tokens.begin == 49'406);
  CHECK(carried.special_tokens.end == 49'407);
  CHECK(carried.special_tokens.pad == 49'407);
  CHECK(carried.special_tokens.max_length == 77);

  const SmallClip small;
  const auto tokens = [&small](const std::string& config, const std::string& map) {
    small.folder.file("tokenizer_config.json", config);
    small.folder.file("special_tokens_map.json", map);
    return sdx::read_tokenizer_settings(small.path()).special_tokens;
  };
  const auto as_strings = tokens(
      R"({"tokenizer_class":"CLIPTokenizerFast","bos_token":"a","pad_token":"b","model_max_length":64})",
      "{}");
  CHECK(as_strings.begin == 0);
  CHECK(as_strings.end == 6);
  CHECK(as_strings.pad == 1);
  CHECK(as_strings.max_length == 64);
  const auto as_objects = tokens(
      R"({"bos_token":{"content":"a"},"pad_token":null,"model_max_length":1000000000000000019884624838656})",
      "{}");
  CHECK(as_objects.begin == 0);
  CHECK(as_objects.pad == 6);
  CHECK(as_objects.max_length == 77);
  // Stable Diffusion 2 as it was published: the padding token of the second file holds.
  CHECK(tokens(R"({"pad_token":"<|endoftext|>"})", R"({"pad_token":"b"})").pad == 1);
  CHECK(tokens(R"({"pad_token":"a","added_tokens_decoder":{}})", R"({"pad_token":"b"})").pad == 0);

  fs::remove(small.path() / "tokenizer_config.json");
  fs::remove(small.path() / "special_tokens_map.json");
  CHECK(sdx::read_tokenizer_settings(small.path()).special_tokens.begin == 5);
}

TEST_CASE("tokenizer: its kind has a name") {
  for (const auto kind : {sdx::TokenizerKind::kSentencePiece, sdx::TokenizerKind::kClip}) {
    CHECK(sdx::find_enum<sdx::TokenizerKind>(sdx::to_string(kind)) == kind);
  }
  CHECK_FALSE(sdx::find_enum<sdx::TokenizerKind>("wordpiece"));
}

TEST_CASE("tokenizer: CLIP's files are written the same from whatever form they were in") {
  const TempFolder folder;
  const auto written = [&folder](const fs::path& source, const std::string& name) {
    fs::create_directory(folder.path() / name);
    sdx::write_tokenizer(source, folder.path() / name);
    CHECK(sdx::test::entries_in(folder.path() / name) == 2);
    return read_bytes(folder.path() / name / "vocab.json") +
           read_bytes(folder.path() / name / "merges.txt");
  };
  const std::string from_merges = written(kFolder, "first");
  CHECK(read_bytes(folder.path() / "first/merges.txt") == read_bytes(kFolder / "merges.txt"));
  CHECK(written(folder.path() / "first", "second") == from_merges);
  for (const bool merges_are_lists : {false, true}) {
    const std::string name = merges_are_lists ? "lists" : "strings";
    fs::create_directory(folder.path() / name);
    folder.file(name + "/tokenizer.json",
                tokenizer_json(folder.path() / "first", merges_are_lists));
    CHECK(written(folder.path() / name, name + "-written") == from_merges);
    CHECK(sdx::load_tokenizer(folder.path() / name)->encode("a photo, 漢!") ==
          clip()->encode("a photo, 漢!"));
  }
}

TEST_CASE("tokenizer: what a small vocabulary of CLIP's lacks becomes the end token") {
  const SmallClip small;
  const auto tokenizer = sdx::load_tokenizer(small.path());
  CHECK(tokenizer->encode("ab ba abc") == Ids{4, 1, 2, 0, 1, 6});
}

TEST_CASE("tokenizer: a broken line of merges.txt is named") {
  const SmallClip small;
  const auto refusal = [&small](const std::string& merges) {
    small.folder.file("merges.txt", merges);
    return small.refusal();
  };
  CHECK(contains(refusal("#version: 0.2\na b</w>\nab\n"), "merges.txt: line 3: expected two"));
  CHECK(contains(refusal("#version: 0.2\na b c\n"), "line 2: expected two symbols"));
  CHECK(contains(refusal("a  b\n"), "line 1: expected two symbols"));
  CHECK(contains(refusal("a b</w>\n\na b</w>\n"), "line 2: expected two symbols"));
  CHECK(contains(refusal("a b</w>\na b</w>\n"), "line 2: \"a b</w>\" stands twice"));
  CHECK(contains(refusal("b a</w>\n"), "needs \"ba</w>\", which is not in the vocabulary"));
  CHECK(contains(refusal("#version: 0.2\n"), "holds no merges"));
  CHECK(contains(refusal("a \xFF\n"), "not UTF-8"));
  fs::remove(small.path() / "vocab.json");
  CHECK(contains(refusal("a b\nb c\na bc\nab c\n"), "line 4: makes \"abc\" for the second time"));
  small.folder.file("vocab.json", kSmallVocabulary);
  fs::remove(small.path() / "merges.txt");
  CHECK(contains(catch_message<sdx::MissingInputError>([&] { sdx::load_tokenizer(small.path()); }),
                 "merges.txt"));
}

TEST_CASE("tokenizer: a vocabulary that is not CLIP's is refused") {
  const SmallClip small;
  const auto refusal = [&small](const std::string& vocabulary) {
    small.folder.file("vocab.json", vocabulary);
    return small.refusal();
  };
  CHECK(contains(refusal(R"({"a":0,"b</w>":0})"), "have the same id 0"));
  CHECK(
      contains(refusal(R"({"a":0,"b</w>":2})"), "\"b</w>\": expected an id from 0 to 1, found 2"));
  CHECK(contains(refusal(R"({"a":0,"b</w>":-1})"), "found -1"));
  CHECK(contains(refusal(R"({"a":0,"b</w>":"1"})"), "found \"1\""));
  CHECK(contains(refusal(R"({"a":0,"b":1})"), "no entry ends in </w>"));
  CHECK(contains(refusal("[]"), "expected an object"));
  CHECK(contains(refusal("{"), "vocab.json: not valid JSON"));
  CHECK(contains(refusal(R"({"a":0,"b</w>":1,"ab</w>":2})"),
                 "bos_token: \"<|startoftext|>\" is not in the vocabulary"));
}

TEST_CASE("tokenizer: a tokenizer.json that is not byte pairs, and added words, are refused") {
  const SmallClip small;
  const auto refusal = [&small](const std::string& name, const std::string& content) {
    small.folder.file(name, content);
    const std::string message = small.refusal();
    fs::remove(small.path() / name);
    return message;
  };
  CHECK(contains(refusal("tokenizer.json", R"({"model":{"type":"Unigram","vocab":[]}})"),
                 "tokenizer.json: model: expected byte pairs"));
  CHECK(contains(refusal("tokenizer.json", "[]"), "expected byte pairs"));
  const std::string model = std::string(R"("model":{"vocab":)") + kSmallVocabulary;
  CHECK(contains(refusal("tokenizer.json", "{" + model + R"(,"merges":["ab"]}})"),
                 "model.merges: entry 0: expected two symbols"));
  CHECK(contains(refusal("tokenizer.json", "{" + model + R"(,"merges":[["a"]]}})"),
                 "model.merges: entry 0: expected two symbols"));
  CHECK(contains(refusal("tokenizer.json", "{" + model + R"(,"merges":{}}})"), "expected a list"));
  CHECK(contains(refusal("tokenizer.json",
                         "{" + model + R"(,"merges":[]},"added_tokens":[{"id":7,"content":"c"}]})"),
                 "\"c\" (id 7) was added to the vocabulary"));
  CHECK(contains(refusal("tokenizer.json", "{" + model + R"(,"merges":[]},"added_tokens":[7]})"),
                 "added_tokens: expected objects"));
  CHECK(contains(refusal("added_tokens.json", R"({"<cat-toy>":7})"),
                 "added_tokens.json: \"<cat-toy>\" (id 7) was added"));
  CHECK(contains(refusal("added_tokens.json", R"({"<cat-toy>":3})"),
                 "the added \"<cat-toy>\" has the id 3 of"));
  CHECK(contains(refusal("added_tokens.json", R"({"<cat-toy>":7.5})"),
                 "\"<cat-toy>\": expected an id, found 7.5"));
  CHECK(contains(refusal("added_tokens.json", "[1]"), "expected an object of words"));
  CHECK(contains(
      refusal("tokenizer_config.json", R"({"added_tokens_decoder":{"7":{"content":"<cat-toy>"}}})"),
      "tokenizer_config.json: \"<cat-toy>\" (id 7) was added"));
  CHECK(contains(refusal("tokenizer_config.json", R"({"added_tokens_decoder":{"x":{}}})"),
                 "expected words by their ids, found \"x\""));
  small.folder.file("added_tokens.json", R"({"<|endoftext|>":6})");
  CHECK(sdx::load_tokenizer(small.path())->encode("ab") == Ids{4});
}

TEST_CASE("tokenizer: what is wrong with CLIP's settings is said") {
  const SmallClip small;
  const auto refusal = [&small](const std::string& config) {
    small.folder.file("tokenizer_config.json", config);
    return small.refusal();
  };
  CHECK(contains(refusal(R"({"pad_token":"c"})"),
                 "tokenizer_config.json: pad_token: \"c\" is not in the vocabulary"));
  CHECK(contains(refusal(R"({"pad_token":7})"), "\"pad_token\" has a wrong type"));
  CHECK(contains(refusal(R"({"pad_token":{}})"), "\"content\" is missing"));
  CHECK(contains(refusal(R"({"model_max_length":2})"), "model_max_length: expected at least 3"));
  sdx::TokenizerSettings settings = clip_settings(ClipPadding::kEndOfText);
  CHECK(
      contains(catch_message<sdx::DataError>([&] { sdx::load_tokenizer(small.path(), settings); }),
               "the special token 49406 is outside the vocabulary of 7 entries"));
  const TempFolder empty;
  empty.file("tokenizer_config.json", R"({"tokenizer_class":"CLIPTokenizer"})");
  CHECK(contains(catch_message<sdx::DataError>([&] { sdx::load_tokenizer(empty.path()); }),
                 "CLIP's vocabulary beside it"));
}

TEST_CASE("tokenizer: of T5's folder it is said that its file of sentencepiece can be read") {
  const TempFolder folder;
  const auto refusal = [&folder] {
    return catch_message<sdx::DataError>([&] { sdx::load_tokenizer(folder.path()); });
  };
  folder.file("tokenizer_config.json", R"({"tokenizer_class":"T5Tokenizer"})");
  CHECK_FALSE(contains(refusal(), "can be read"));
  const std::string file = folder.file("spiece.model", "").string();
  CHECK(contains(refusal(), "Its spiece.model can be read: give " + file));
  folder.file("tokenizer.json", R"({"model":{"type":"Unigram","vocab":[]}})");
  CHECK(contains(refusal(), "expected byte pairs"));
  CHECK(contains(refusal(), "Its spiece.model can be read: give " + file));
}
