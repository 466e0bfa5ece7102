#include "sdx/prompt/grammar.h"

#include <cmath>
#include <utility>

#include "prompt/lexer.h"
#include "prompt/weights.h"
#include "sdx/prompt/prompt_list.h"
#include "sdx/util/error.h"

#include "support/catch.h"

// What AUTOMATIC1111 makes of each prompt, written down by hand from its documented grammar and the
// examples in the documentation of its parser.

namespace {

using sdx::Grammar;
using Stages = std::vector<std::pair<int, std::string>>;
using Weights = std::vector<std::pair<double, std::string>>;

/// The last step and the text of each stage.
Stages list_texts(const sdx::PromptPart& part) {
  Stages stages;
  for (const sdx::PromptStage& stage : part.stages) {
    // What is read in a stage is what is read in its text alone.
    CHECK(stage.prompt == sdx::parse_text(stage.prompt.text, stage.prompt.grammar));
    stages.push_back({stage.last_step, stage.prompt.text});
  }
  return stages;
}

Stages list_stages(const std::string& prompt, const sdx::PromptSteps& steps = {10, 0}) {
  const auto parts = sdx::parse_prompt(prompt, Grammar::kA1111).parts(steps);
  REQUIRE(parts.size() == 1);
  CHECK(parts.front().weight == 1);
  return list_texts(parts.front());
}

/// Weight and text of each stretch, rounded to 1e-9; "BREAK" stands for a new chunk.
Weights collect_weights(const std::string& text) {
  Weights weights;
  for (const sdx::WeightedText& piece : sdx::read_weights(sdx::lex(text))) {
    if (piece.opens_chunk) weights.push_back({0, "BREAK"});
    weights.push_back({std::round(piece.weight * 1e9) / 1e9, piece.text});
  }
  return weights;
}

struct EditCase {
  std::string prompt;
  Stages stages;  ///< of ten steps
};

const std::vector<EditCase> kEdits = {
    {"test", {{10, "test"}}},
    {"", {{10, ""}}},
    {"a [b:3]", {{3, "a "}, {10, "a b"}}},
    {"a [b: 3]", {{3, "a "}, {10, "a b"}}},
    {"a [b:3 ] c", {{3, "a  c"}, {10, "a b c"}}},
    {"a [[[b]]:2]", {{2, "a "}, {10, "a [[b]]"}}},
    {"[(a:2):3]", {{3, ""}, {10, "(a:2)"}}},
    {"a [b : c : 1] d", {{1, "a b  d"}, {10, "a  c  d"}}},
    {"a[b:[c:d:2]:1]e", {{1, "abe"}, {2, "ace"}, {10, "ade"}}},
    {"a [unbalanced", {{10, "a [unbalanced"}}},
    {"a [b:.5] c", {{5, "a  c"}, {10, "a b c"}}},
    {"a [b::.4] c", {{4, "a b c"}, {10, "a  c"}}},
    {"((a][:b:c [d:3]", {{3, "((a][:b:c "}, {10, "((a][:b:c d"}}},
    {"[<Ada>:<Ben>:0.25]", {{2, "<Ada>"}, {10, "<Ben>"}}},
    {"[a:b:20]", {{10, "a"}}},                    // never reached
    {"[a:b:0]", {{10, "b"}}},                     // from the start
    {"x [a:b:-1] y", {{10, "x b y"}}},            // before the start
    {"[a:b:1.0]", {{10, "a"}}},                   // a fraction: all steps
    {"[a:b:1]", {{1, "a"}, {10, "b"}}},           // a step
    {"[a:b:1e1]", {{10, "a"}}},                   // without a point, so a step
    {"[a:b:+.5]", {{5, "a"}, {10, "b"}}},         //
    {"[::3]x", {{3, "x"}, {10, "x"}}},            //
    {"[a:b:c:3]", {{10, "[a:b:c:3]"}}},           // too many parts
    {"[a:b:c]", {{10, "[a:b:c]"}}},               // no number
    {"[a:b (c]:3]", {{10, "[a:b (c]:3]"}}},       // brackets that cross
    {"[a [b:c:2]", {{2, "[a b"}, {10, "[a c"}}},  // the outer one is not closed
    {"a] [b:3]", {{3, "a] "}, {10, "a] b"}}},     //
    {"a\\[b:3]", {{10, "a\\[b:3]"}}},             // escaped
    {"[a\\:b:3]", {{3, ""}, {10, "a\\:b"}}},      //
    {"a | b [c:d:3]", {{10, "a | b [c:d:3]"}}},   // a | outside an alternation: all is text
    {"[a|b:2]", {{10, "[a|b:2]"}}},               //
    {"a\\", {{10, "a\\"}}},                       //
    {"(a:b:c) [d:2]", {{2, "(a:b:c) "}, {10, "(a:b:c) d"}}},
    {"[[a:b:1]:c:2]", {{1, "a"}, {2, "b"}, {10, "c"}}},
    {"[x:y:.3] and [p:q:7]", {{3, "x and p"}, {7, "y and p"}, {10, "y and q"}}},
};

struct WeightCase {
  std::string text;
  Weights weights;
};

const std::vector<WeightCase> kWeights = {
    {"normal text", {{1, "normal text"}}},
    {"", {{1, ""}}},
    {"an (important) word", {{1, "an "}, {1.1, "important"}, {1, " word"}}},
    {"(unbalanced", {{1.1, "unbalanced"}}},
    {"\\(literal\\]", {{1, "(literal]"}}},
    {"(unnecessary)(parens)", {{1.1, "unnecessaryparens"}}},
    {"a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).",
     {{1, "a "},
      {1.573, "house"},
      {1.1, " "},
      {1, "on"},
      {1.1, " a "},
      {0.55, "hill"},
      {1.1, ", sun, "},
      {1.4641, "sky"},
      {1.1, "."}}},
    {"[less] of it", {{0.909090909, "less"}, {1, " of it"}}},
    {"[[less", {{0.826446281, "less"}}},
    {"(a:1.5", {{1.1, "a:1.5"}}},
    {"(a : 1.5 )", {{1.5, "a "}}},
    {"(a:.5)(b:-1)", {{0.5, "a"}, {-1, "b"}}},
    {"(a:0) b", {{0, "a"}, {1, " b"}}},
    {"(a:b) c", {{1.1, "a:b"}, {1, " c"}}},
    {"a) b]", {{1, "a) b]"}}},
    {"a:1.2) b", {{1, "a:1.2) b"}}},
    {"[a:1.2)", {{0.909090909, "a:1.2)"}}},
    {"\\\\ \\( \\a", {{1, "\\ ( a"}}},
    {"16:9", {{1, "16:9"}}},
    {"a BREAK b", {{1, "a"}, {0, "BREAK"}, {1, "b"}}},
    {"BREAK b", {{1, ""}, {0, "BREAK"}, {1, "b"}}},
    {"a BREAK", {{1, "a"}, {0, "BREAK"}, {1, ""}}},
    {"aBREAK BREAKer", {{1, "aBREAK BREAKer"}}},
    {"(a BREAK b:2) c", {{2, "a"}, {0, "BREAK"}, {2, "b"}, {1, " c"}}},
};

/// The mission's prompts: the weights of each, which is all that the grammar finds in them.
const std::vector<Weights> kMission = {
    {{1, "<Andreas> looks a lot like christmas, santa claus, snow"}},
    {{1, "Robot <Paul>"}},
    {{1,
      "<Markus> as funko, trending on artstation, concept art, <Markus>, funko, digital art, "
      "box "},
     {1.1, ", superman / batman / mario, nintendo, super mario"}},
    {{1, "<Johannes> is very thankful, art, 8k, trending on artstation, vinyl·"}},
    {{1, "<Markus> riding a unicorn, digital art, trending on artstation, unicorn, "},
     {1.1, "<Markus> / oil paiting"},
     {1, "·"}},
    {{1,
      "<Max> in the new super hero movie, movie poster, 4k, huge explosions in the background, "
      "everyone is literally dying expect for him"}},
    {{1, "a blonde emoji that looks like <Alex>"}},
    {{1,
      "harry potter, hermione granger from harry potter, portrait of <Sarah>, concept art, "
      "highly detailed"}},
};

}  // namespace

TEST_CASE("grammar: edits give the schedule that AUTOMATIC1111 gives", "[prompt]") {
  for (const EditCase& example : kEdits) {
    INFO(example.prompt);
    CHECK(list_stages(example.prompt) == example.stages);
  }
}

TEST_CASE("grammar: alternatives take turns, empty ones too", "[prompt]") {
  const auto list_texts = [](const std::string& prompt) {
    std::vector<std::string> texts;
    int step = 0;
    for (const auto& [last_step, text] : list_stages(prompt)) {
      CHECK(last_step == ++step);
      texts.push_back(text);
    }
    return texts;
  };
  using Texts = std::vector<std::string>;
  const std::string f = "female";
  const std::string m = "male";
  const std::string b = "(b:1.1)";
  CHECK(list_texts("[a|(b:1.1)]") == Texts{"a", b, "a", b, "a", b, "a", b, "a", b});
  CHECK(list_texts("[fe|]male") == Texts{f, m, f, m, f, m, f, m, f, m});
  CHECK(list_texts("[fe|||]male") == Texts{f, m, m, m, f, m, m, m, f, m});
  CHECK(list_texts("[|x]") == Texts{"", "x", "", "x", "", "x", "", "x", "", "x"});
  CHECK(list_texts("[a|[b:c:5]]") == Texts{"a", "b", "a", "b", "a", "c", "a", "c", "a", "c"});
}

TEST_CASE("grammar: a hires pass goes on counting", "[prompt]") {
  const sdx::PromptSteps second{10, 10};
  CHECK(list_stages("a [b:.5] c", second) == Stages{{10, "a b c"}});
  CHECK(list_stages("a [b:1.5] c", second) == Stages{{5, "a  c"}, {10, "a b c"}});
  CHECK(list_stages("a [b:12] c", second) == Stages{{2, "a  c"}, {10, "a b c"}});
}

TEST_CASE("grammar: AND makes parts with weights", "[prompt]") {
  const auto split_parts = [](const std::string& prompt) {
    std::vector<std::pair<double, std::string>> parts;
    for (const auto& part : sdx::parse_prompt(prompt, Grammar::kA1111).parts({10, 0})) {
      parts.push_back({part.weight, part.stages.back().prompt.text});
    }
    return parts;
  };
  CHECK(split_parts("a cat AND a dog") == Weights{{1, "a cat"}, {1, " a dog"}});
  CHECK(split_parts("a cat :1.2 AND a dog:-.5 AND x : 2.") ==
        Weights{{1.2, "a cat"}, {-0.5, " a dog"}, {2, " x"}});
  CHECK(split_parts("SAND ANDROID band AND_x") == Weights{{1, "SAND ANDROID band AND_x"}});
  CHECK(split_parts("a:1:2") == Weights{{2, "a:1"}});
  CHECK(split_parts("AND") == Weights{{1, ""}, {1, ""}});
  CHECK(split_parts("(a:1.2) AND [b:c:3]") == Weights{{1, "(a:1.2)"}, {1, " c"}});
  CHECK(split_parts("a\\AND b\\:2") ==
        Weights{{1, "a\\"}, {2, " b\\"}});  // escapes mean nothing here
  CHECK(split_parts("blank at the end ") == Weights{{1, "blank at the end"}});
}

TEST_CASE("grammar: a negative prompt has edits, but is one part", "[prompt]") {
  const auto parts =
      sdx::parse_prompt("a AND [b:c:3] :2", Grammar::kA1111, sdx::PromptRole::kNegative)
          .parts({10, 0});
  REQUIRE(parts.size() == 1);
  CHECK(parts.front().weight == 1);
  CHECK(list_texts(parts.front()) == Stages{{3, "a AND b :2"}, {10, "a AND c :2"}});
}

TEST_CASE("grammar: brackets weight, BREAK opens a chunk", "[prompt]") {
  for (const WeightCase& example : kWeights) {
    INFO(example.text);
    CHECK(collect_weights(example.text) == example.weights);
  }
}

TEST_CASE("grammar: the mission's prompts are read as AUTOMATIC1111 reads them", "[prompt]") {
  const std::filesystem::path file = std::filesystem::path(SDX_TEST_DATA) / "mission-prompts.txt";
  const std::vector<std::string> prompts = sdx::read_prompt_file(file);
  REQUIRE(prompts.size() == kMission.size());
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    INFO(prompts[i]);
    const Stages stages = list_stages(prompts[i]);
    CHECK(stages == Stages{{10, prompts[i]}});
    CHECK(collect_weights(stages.front().second) == kMission[i]);
  }
}

TEST_CASE("grammar: the stage of a step is AUTOMATIC1111's", "[prompt]") {
  const auto parts = sdx::parse_prompt("[a:b:3]", Grammar::kA1111).parts({10, 0});
  const auto text = [&](int step) { return sdx::text_at(parts.front(), step).text; };
  CHECK(text(0) == "a");
  CHECK(text(3) == "a");  // step ≤ last step, though steps count from 0
  CHECK(text(4) == "b");
  CHECK(text(9) == "b");
}

TEST_CASE("grammar: plain is plain", "[prompt]") {
  const std::string text = "(a:1.2) AND [b:c:3] BREAK \\( :2";
  const sdx::PromptText plain = {text, Grammar::kPlain, {{text}}};
  CHECK(sdx::parse_text(text, Grammar::kPlain) == plain);
  for (const auto role : {sdx::PromptRole::kPositive, sdx::PromptRole::kNegative}) {
    CHECK(sdx::parse_prompt(text, Grammar::kPlain, role).parts({10, 0}) ==
          std::vector<sdx::PromptPart>{{1, {{10, plain}}}});
  }
  CHECK(sdx::find_enum<Grammar>("plain") == Grammar::kPlain);
  CHECK_FALSE(sdx::find_enum<Grammar>("comfy"));
}

TEST_CASE("grammar: brackets without end take no time", "[prompt]") {
  for (const std::string piece : {"[", "(", "[a:", "[a|", "(a:", "[[b:c:1]"}) {
    std::string text;
    for (int i = 0; i < 3000; ++i) text += piece;
    CHECK_FALSE(sdx::parse_prompt(text, Grammar::kA1111).parts({10, 0}).empty());
    CHECK_FALSE(collect_weights(text).empty());
  }
}

TEST_CASE("grammar: segments are text and placeholders, each with its weight", "[prompt]") {
  using Segments = std::vector<sdx::PromptSegment>;
  const auto segments = [](const std::string& text) {
    return sdx::parse_text(text, Grammar::kA1111).segments;
  };
  CHECK(segments("a (<Ada>, red:1.5) hat") ==
        Segments{{"a ", 1}, {"Ada", 1.5, false, true}, {", red", 1.5}, {" hat", 1}});
  CHECK(segments("<Ada> BREAK <Ben> BREAK") ==
        Segments{{"Ada", 1, false, true}, {"Ben", 1, true, true}, {"", 1, true}});
  CHECK(segments("<A\\(b\\)>") == Segments{{"A(b)", 1, false, true}});
  CHECK(segments("<A(b)>") == Segments{{"<A", 1}, {"b", 1.1}, {">", 1}});
  CHECK(segments("").empty());
  // What edits put together is read as if it had been written so.
  const auto parts = sdx::parse_prompt("([<A:<B:1]da>:1.5)", Grammar::kA1111).parts({10, 0});
  REQUIRE(parts.front().stages.size() == 2);
  CHECK(parts.front().stages[0].prompt.segments == Segments{{"Ada", 1.5, false, true}});
  CHECK(parts.front().stages[1].prompt.segments == Segments{{"Bda", 1.5, false, true}});
  const auto breaks = sdx::parse_prompt("a [BR:x:3]EAK b", Grammar::kA1111).parts({10, 0});
  CHECK(breaks.front().stages[0].prompt.segments == Segments{{"a", 1}, {"b", 1, true}});
}
