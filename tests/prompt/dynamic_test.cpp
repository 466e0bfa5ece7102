#include "sdx/prompt/dynamic.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "sdx/util/error.h"
#include "sdx/util/json.h"
#include "support/throws.h"

#include "support/catch.h"

using namespace sdx;
using sdx::test::catch_message;
using sdx::test::contains;

namespace {

using Texts = std::vector<std::string>;

constexpr std::uint64_t kLimit = 10000;
constexpr std::uint64_t kCountless = std::numeric_limits<std::uint64_t>::max();

Texts all(const std::string& text, const Wildcards& wildcards = {}) {
  return all_combinations(text, wildcards, kLimit);
}

Wildcards lists(std::map<std::string, Texts> lines) { return {"lists", std::move(lines)}; }

/// How often each text comes from the seeds 0 … count − 1.
std::map<std::string, int> tally(const std::string& text, int count,
                                 const Wildcards& wildcards = {}) {
  std::map<std::string, int> seen;
  for (int seed = 0; seed < count; ++seed) {
    ++seen[expand_random(text, wildcards, static_cast<std::uint64_t>(seed))];
  }
  return seen;
}

}  // namespace

TEST_CASE("prompt: choices of which none is taken cost nothing", "[prompt]") {
  const std::string countless = "{9$$a|b|c|d|e|f|g|h|i|j|k|l}";
  CHECK(all("{0$$" + countless + "|m} x") == Texts{" x"});
  CHECK(count_combinations("{0$$" + countless + "|m} x", {}) == 1);
}

TEST_CASE("prompt: even chances fall as by weights of 1", "[prompt]") {
  // The weights of 2 are gone through one by one; those of 1 are not.
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    CHECK(expand_random("{2-4$$a|b|c|d|e}", {}, seed) ==
          expand_random("{2-4$$2::a|2::b|2::c|2::d|2::e}", {}, seed));
  }
}

TEST_CASE("prompt: dynamic prompts combine as the reference does", "[prompt]") {
  const std::filesystem::path data = SDX_TEST_DATA;
  const Wildcards wildcards = read_wildcards(data / "wildcards");
  const Json golden = read_json_file(data / "dynamic_prompts.json");
  REQUIRE(golden["cases"].size() > 30);
  for (const Json& sample : golden["cases"]) {
    const auto text = sample["text"].get<std::string>();
    const auto expected = sample["combinations"].get<Texts>();
    INFO(text);
    CHECK(all(text, wildcards) == expected);
    CHECK(count_combinations(text, wildcards) == expected.size());
    // Whatever chance picks is one of them, and over many seeds all of them are picked.
    std::set<std::string> picked;
    for (std::uint64_t seed = 0; seed < 400; ++seed) {
      picked.insert(expand_random(text, wildcards, seed));
    }
    CHECK(picked == std::set<std::string>(expected.begin(), expected.end()));
  }
}

TEST_CASE("prompt: what is no choice stays as it is", "[prompt]") {
  for (const std::string text : {"",
                                 "{name}",
                                 "<Ada> as {name}, {other name}",
                                 "{}",
                                 "}{",
                                 "{a|b",
                                 "a|b}",
                                 "a|b",
                                 "{{{",
                                 "box (, superman / batman / mario (:1.2) [",
                                 "__",
                                 "____",
                                 "_a_",
                                 "__a",
                                 "__ a __",
                                 "a __ b __ c",
                                 "__a(b)__",
                                 "{a:b}",
                                 "$$",
                                 "2$$a",
                                 "{$$a}",
                                 "{-$$a}",
                                 "{a$$b}",
                                 "\\",
                                 "\\(a\\) \\[b\\] \\\\"}) {
    INFO(text);
    CHECK(all(text) == Texts{text});
    CHECK(expand_random(text, {}, 1) == text);
    CHECK(count_combinations(text, {}) == 1);
  }
}

TEST_CASE("prompt: choices inside what is no choice are made", "[prompt]") {
  CHECK(all("{name {a|b}}") == Texts{"{name a}", "{name b}"});
  CHECK(all("{x|{a|b}") == Texts{"{x|a", "{x|b"});
  CHECK(all("{a|b}}") == Texts{"a}", "b}"});
  CHECK(all("{{name}|b}") == Texts{"{name}", "b"});
}

TEST_CASE("prompt: escapes are the plain letters", "[prompt]") {
  CHECK(all("\\{a|b\\}") == Texts{"{a|b}"});
  CHECK(all("{a\\|b|c\\}}") == Texts{"a|b", "c}"});
  CHECK(all("{a\\|b}") == Texts{"{a|b}"});
  CHECK(all("\\__a__") == Texts{"__a__"});
  CHECK(all("\\\\{a|b}") == Texts{"\\\\a", "\\\\b"});
  CHECK(all("{\\(a\\)|b}") == Texts{"\\(a\\)", "b"});
}

TEST_CASE("prompt: options with the same words are told apart", "[prompt]") {
  CHECK(all("{a|a}") == Texts{"a", "a"});
  CHECK(all("{2$$a|a}") == Texts{"a,a", "a,a"});
}

TEST_CASE("prompt: a seed means the same everywhere", "[prompt]") {
  const std::string text = "{red|green|blue} {2$$a|b|c|d} {0.2::x|y}";
  // Never to be changed: the same seed must give the same prompt in every version.
  Texts made;
  for (const std::uint64_t seed : {0ULL, 1ULL, 2ULL, 0xFFFFFFFFFFFFFFFFULL}) {
    made.push_back(expand_random(text, {}, seed));
  }
  CHECK(made == Texts{"blue d,c y", "blue c,a x", "green a,d y", "blue d,b y"});
  CHECK(expand_random(text, {}, 1) == made[1]);
}

TEST_CASE("prompt: chance follows the weights", "[prompt]") {
  constexpr int kDraws = 4000;
  const auto plain = tally("{a|b}", kDraws);
  CHECK(std::abs(plain.at("a") - kDraws / 2) < 150);
  const auto weighted = tally("{3::a|b}", kDraws);
  CHECK(std::abs(weighted.at("a") - kDraws * 3 / 4) < 150);
  const auto never = tally("{0::a|b|0::c}", kDraws);
  CHECK(never.size() == 1);
  CHECK(never.count("b") == 1);
  // Without weight all are alike.
  CHECK(tally("{0::a|0::b}", kDraws).size() == 2);
  // The heavy one comes first three times in four, the rest is left for the second place.
  const auto pairs = tally("{2$$3::a|b}", kDraws);
  CHECK(std::abs(pairs.at("a,b") - kDraws * 3 / 4) < 150);
  const auto lines = tally("__x__", kDraws, lists({{"x", {"3::a", "b"}}}));
  CHECK(std::abs(lines.at("a") - kDraws * 3 / 4) < 150);
}

TEST_CASE("prompt: wildcards stand for the lines of all files that fit", "[prompt]") {
  const Wildcards wildcards =
      lists({{"h/b", {"3", "1"}}, {"h/a", {"{2|4}", "__n__"}}, {"n", {"5"}}});
  CHECK(all("__h/*__", wildcards) == Texts{"2", "4", "5", "3", "1"});
  CHECK(all("x__n__y __n__", wildcards) == Texts{"x5y 5"});
  CHECK(all("{2$$ __h/b__ }", wildcards) == Texts{"3,1", "1,3"});
  CHECK(all("{2$$__h/b__|x}", wildcards) == Texts{"3,x", "1,x", "x,3", "x,1"});
}

TEST_CASE("prompt: wildcards that cannot be filled in are refused", "[prompt]") {
  const auto missing = catch_message<MissingInputError>([] {
    all("{a|__colur__}", lists({{"colour", {"red"}}}));
  });
  CHECK(contains(missing, "colour"));
  CHECK_THROWS_AS(expand_random("{a|__b__}", {}, 1), MissingInputError);
  CHECK(contains(catch_message<DataError>([] { all("__a__", lists({{"a", {}}})); }), "__a__"));
  const Wildcards circle = lists({{"a", {"x", "{y|__b__}"}}, {"b", {"__c__"}}, {"c", {"__a__"}}});
  CHECK(contains(catch_message<DataError>([&] { expand_random("__b__", circle, 1); }),
                 "b → c → a → b"));
  const Wildcards itself = lists({{"d/a", {"1"}}, {"d/b", {"__d/*__"}}});
  CHECK(contains(catch_message<DataError>([&] { count_combinations("__d/*__", itself); }),
                 "d/b → d/b"));
  // Used twice, but not in a circle.
  CHECK(all("__a__ __a__ __b__", lists({{"a", {"1"}}, {"b", {"__a__"}}})) == Texts{"1 1 1"});
}

TEST_CASE("prompt: combinations are counted exactly, and beyond 64 bits as countless", "[prompt]") {
  std::string many;
  for (int i = 0; i < 63; ++i) many += "{a|b}";
  CHECK(count_combinations(many, {}) == std::uint64_t{1} << 63U);
  CHECK(count_combinations(many + "{a|b}", {}) == kCountless);
  // Sets of k of n, times their orders: 1 + 26 + 26·25 + 26·25·24.
  const std::string letters = "a|b|c|d|e|f|g|h|i|j|k|l|m|n|o|p|q|r|s|t|u|v|w|x|y|z}";
  CHECK(count_combinations("{0-3$$" + letters, {}) == 16277);
  CHECK(count_combinations("{12$$" + letters, {}) == 4626053752320000);
  CHECK(count_combinations("{1-$$" + letters, {}) == kCountless);
  CHECK(count_combinations("{21$$" + letters, {}) == kCountless);
  CHECK(count_combinations("{2$${a|b|c}|{d|e}|f}", {}) == 22);
}

TEST_CASE("prompt: more combinations than allowed are refused", "[prompt]") {
  CHECK(all_combinations("{a|b}{c|d}", {}, 4).size() == 4);
  const auto message = catch_message<UsageError>([] { all_combinations("{a|b}{c|d}", {}, 3); });
  CHECK(contains(message, "4 combinations"));
  std::string many;
  for (int i = 0; i < 64; ++i) many += "{a|b}";
  CHECK(contains(catch_message<UsageError>([&] { all_combinations(many, {}, kCountless); }),
                 "countless"));
}

TEST_CASE("prompt: choices without end are refused", "[prompt]") {
  std::string deep = "a";
  for (int i = 0; i < 99; ++i) deep = "{" + deep + "|b}";
  CHECK(count_combinations(deep, {}) == 100);
  CHECK_THROWS_AS(count_combinations("{" + deep + "|b}", {}), UsageError);
  // Braces without a choice of their own do not count.
  CHECK(count_combinations(std::string(50000, '{') + "a|b" + std::string(50000, '}'), {}) == 2);
  Wildcards doubling = lists({{"a0", {"word"}}});
  for (int i = 1; i < 60; ++i) {
    const std::string inner = "__a" + std::to_string(i - 1) + "__";
    doubling.lines["a" + std::to_string(i)] = {inner + " " + inner};
  }
  CHECK(count_combinations("__a59__", doubling) == 1);
  CHECK_THROWS_AS(expand_random("__a59__", doubling, 1), UsageError);
  CHECK_THROWS_AS(all("__a59__", doubling), UsageError);
}
