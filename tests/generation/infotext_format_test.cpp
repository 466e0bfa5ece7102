#include "sdx/generation/infotext_format.h"

#include "sdx/cli/infotext_json.h"

#include "sdx/util/error.h"
#include "sdx/util/random.h"
#include "support/throws.h"

#include "support/catch.h"

using namespace sdx;

namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

const Fields kFields = {{"Steps", "20"}, {"Sampler", "DPM++ 2M"}, {"Seed", "1"}};
const std::string kLine = "Steps: 20, Sampler: DPM++ 2M, Seed: 1";

void check_round_trip(const Infotext& infotext) {
  const std::string text = format_infotext(infotext);
  CAPTURE(text);
  CHECK(parse_infotext(text) == infotext);
}

Fields read_fields(const std::string& line) { return parse_infotext("a prompt\n" + line).fields; }

}  // namespace

TEST_CASE("generation: an infotext is written in AUTOMATIC1111's form", "[generation]") {
  CHECK(format_infotext({"a, b", "c", kFields}) == "a, b\nNegative prompt: c\n" + kLine);
  CHECK(format_infotext({"a, b", "", kFields}) == "a, b\n" + kLine);
  CHECK(format_infotext({"", "", kFields}) == "\n" + kLine);
  CHECK(format_infotext({"a, b", "c", {}}) == "a, b\nNegative prompt: c");
  CHECK(format_infotext({"a",
                         "",
                         {{"TI hashes", "Ada: 0123, Ben: 4567"},
                          {"Version", "v1"},
                          {"Note", "two\nlines"},
                          {"Name", "the \"one\" · 漢"}}}) ==
        "a\nTI hashes: \"Ada: 0123, Ben: 4567\", Version: v1, Note: \"two\\nlines\", "
        "Name: \"the \\\"one\\\" · 漢\"");
}

TEST_CASE("generation: what an infotext says is read back", "[generation]") {
  check_round_trip({"", "", kFields});
  check_round_trip({"a\nb\n\n c ", " x \n\ny\n", kFields});
  check_round_trip({"\n", "\n", kFields});
  check_round_trip({"<Ada> as funko, box (, superman / batman", "", kFields});
  for (const std::string value : {"",
                                  " ",
                                  "a,b",
                                  "a: b",
                                  "\"",
                                  "\"a\"",
                                  "\"a",
                                  "a\"b",
                                  "\\",
                                  "a\\",
                                  "\\\"",
                                  "a\nb",
                                  "a\r",
                                  " a",
                                  "a ",
                                  "\ta",
                                  "Seed: 9, Steps: 8, Size: 1x1",
                                  "\"a\", Steps: 7",
                                  "ä · 漢",
                                  "\x01",
                                  "{\"json\": [1, 2]}"}) {
    CAPTURE(value);
    check_round_trip({"a", "b", {{"Steps", "20"}, {"Odd value", value}, {"Seed", "1"}}});
    check_round_trip({"a", "b", {{"Steps", "20"}, {"Seed", "1"}, {"Odd value", value}}});
  }
  check_round_trip({"a", "", {{"Hires/x-y 2", "1"}, {"_a", "2"}, {"Größe", "3"}, {"a ", "4"}}});
}

TEST_CASE("generation: a prompt that looks like other parts of its infotext", "[generation]") {
  // Settings in a prompt's last line: only the text's last line counts.
  check_round_trip({"a\n" + kLine, "", kFields});
  check_round_trip({"a", "b\n" + kLine, kFields});
  // The negative prompt's mark: one more setting says where the prompt ends.
  check_round_trip({"a\nNegative prompt: b", "", kFields});
  check_round_trip({"a\nNegative prompt: b", "c", kFields});
  check_round_trip({"Negative prompt: b\n", "c", kFields});
  check_round_trip({"Negative prompt: b\n", "", kFields});
  check_round_trip({"Negative prompt:", "", kFields});
  check_round_trip({"a", "b\nNegative prompt: c", kFields});
  check_round_trip({"a, Negative prompt: b", "", kFields});
  CHECK(format_infotext({"a\nNegative prompt: b", "", kFields}) ==
        "a\nNegative prompt: b\n" + kLine + ", Prompt lines: 2");
  // The mark is not written without need.
  CHECK(format_infotext({"a, Negative prompt: b", "", kFields}) ==
        "a, Negative prompt: b\n" + kLine);
}

TEST_CASE("generation: an impossible count of prompt lines is passed over", "[generation]") {
  for (const std::string count : {"0", "4", "99999999999999999999", "-1", "x", "", "1"}) {
    CAPTURE(count);
    const Infotext read =
        parse_infotext("a\nb\nNegative prompt: c\n" + kLine + ", Prompt lines: " + count);
    CHECK(read == Infotext{"a\nb", "c", kFields});
  }
}

TEST_CASE("generation: an infotext comes back from random text", "[generation]") {
  const std::vector<std::string> words = {
      "a",  "\n", ", ", ": ", "\"",      "\\",       "Negative prompt:",   "Negative prompt: ",
      "\t", " ",  "Z9", "漢", "Steps: ", "Seed: 1,", "\nNegative prompt: "};
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    RandomStream random(seed, RandomPurpose::kTrainingPick);
    const auto text = [&] {
      std::string made;
      for (std::uint32_t i = random.below(8); i > 0; --i) {
        made += words[random.below(static_cast<std::uint32_t>(words.size()))];
      }
      return made;
    };
    const Infotext infotext{
        text(), text(), {{"Steps", text()}, {"Seed", text()}, {"Size", text()}}};
    const std::string written = format_infotext(infotext);
    if (parse_infotext(written) != infotext) FAIL_CHECK("lost: " << written);
  }
}

TEST_CASE("generation: what cannot be read back is not written", "[generation]") {
  CHECK_THROWS_AS(format_infotext({"a", "", {{"Steps", "1"}, {"Seed", "1"}}}), InternalError);
  for (const std::string key :
       {"", "S", "a:b", "a,b", "-a", " a", "a\nb", "a\"b", "Prompt lines"}) {
    CAPTURE(key);
    Fields fields = kFields;
    fields.emplace_back(key, "1");
    CHECK_THROWS_AS(format_infotext({"a", "", fields}), InternalError);
  }
}

TEST_CASE("generation: settings follow AUTOMATIC1111's pattern", "[generation]") {
  CHECK(read_fields(kLine) == kFields);
  CHECK(read_fields("Steps: 20,Sampler:DPM++ 2M,   Seed:1") == kFields);
  CHECK(read_fields("- Steps: 20, , Sampler: DPM++ 2M, !? Seed: 1,") == kFields);
  // A quoted value ends at its quote only if a comma or the end follows.
  CHECK(read_fields("Steps: \"2\" 0, Model: \"a, \\\"b\\\"\", Seed: \"1\"") ==
        Fields{{"Steps", "\"2\" 0"}, {"Model", "a, \"b\""}, {"Seed", "1"}});
  CHECK(read_fields("Steps: \"20, Model: \"\", Seed: \"\\q\"") ==
        Fields{{"Steps", "\"20"}, {"Model", ""}, {"Seed", "\"\\q\""}});
  CHECK(read_fields("Time: 1:20, A: x, Ben: y, Cy: z") ==
        Fields{{"Time", "1:20"}, {"Ben", "y"}, {"Cy", "z"}});
  CHECK(read_fields("Steps: 20, Seed: 1").empty());
}

TEST_CASE("generation: a last line with fewer than three pairs is prompt", "[generation]") {
  CHECK(parse_infotext("a hat: red, scarf: blue") == Infotext{"a hat: red, scarf: blue", "", {}});
  CHECK(parse_infotext("a\nNegative prompt: b\nSteps: 20, Seed: 1") ==
        Infotext{"a", "b\nSteps: 20, Seed: 1", {}});
  CHECK(parse_infotext("") == Infotext{});
  CHECK(parse_infotext("\n \n") == Infotext{"\n \n", "", {}});
}

TEST_CASE("generation: infotexts of other programs are read", "[generation]") {
  CHECK(parse_infotext(kLine) == Infotext{"", "", kFields});
  CHECK(parse_infotext("Negative prompt: b\n" + kLine) == Infotext{"", "b", kFields});
  CHECK(parse_infotext("a\nNegative prompt:b\nc\n" + kLine + "\n\n") ==
        Infotext{"a", "b\nc", kFields});
  CHECK(parse_infotext("a\nNegative prompt: \n" + kLine) == Infotext{"a", "", kFields});
  CHECK(parse_infotext("a\n" + kLine).field("Seed") == "1");
  CHECK(parse_infotext("a\n" + kLine).field("seed") == std::nullopt);
}

TEST_CASE("generation: a very long infotext is read in one pass", "[generation]") {
  const std::string word(2000000, 'x');
  CHECK(parse_infotext(word + "\n" + kLine) == Infotext{word, "", kFields});
  CHECK(parse_infotext(word + "!").fields.empty());
  CHECK(read_fields(kLine + ", Note: \"" + word + "\"").back().second == word);
  std::string commas;
  for (int i = 0; i < 500000; ++i) commas += "a,";
  CHECK(read_fields(commas + kLine) == kFields);
}

TEST_CASE("generation: an infotext as JSON", "[generation]") {
  CHECK(to_json({"a \xFF", "b", {{"Steps", "20"}, {"Steps", "30"}, {"Seed", "1"}}}).dump() ==
        "{\"prompt\":\"a \uFFFD\",\"negative_prompt\":\"b\",\"settings\":{\"Steps\":\"20\","
        "\"Seed\":\"1\"}}");
  CHECK(to_json({}).dump() == "{\"prompt\":\"\",\"negative_prompt\":\"\",\"settings\":{}}");
}
