#include <algorithm>
#include <ctime>
#include <filesystem>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "fuzz/target.h"
#include "sdx/util/error.h"
#include "support/catch.h"
#include "support/temp_folder.h"
#include "support/throws.h"

using namespace sdx;
using namespace sdx::test;

namespace fs = std::filesystem;

namespace {

std::vector<fs::path> list_entries(const fs::path& folder) {
  std::vector<fs::path> entries;
  for (const auto& entry : fs::directory_iterator(folder)) entries.push_back(entry.path());
  std::sort(entries.begin(), entries.end());
  return entries;
}

const fs::path kCorpora = fs::path(SDX_SOURCE_DIR) / "tests" / "fuzz" / "corpus";

}  // namespace

TEST_CASE("fuzz: every reader takes or refuses all of its corpus", "[fuzz]") {
  REQUIRE(fuzz::list_targets().size() >= 12);
  for (const fuzz::Target& target : fuzz::list_targets()) {
    const std::vector<fs::path> inputs = list_entries(kCorpora / target.name);
    INFO(target.name);
    CHECK(inputs.size() >= 2);
    for (const fs::path& input : inputs) {
      INFO(input.string());
      CHECK_NOTHROW(fuzz::try_target(target, read_bytes(input)));
    }
  }
}

TEST_CASE("fuzz: every corpus has a reader", "[fuzz]") {
  std::set<std::string> names;
  for (const fuzz::Target& target : fuzz::list_targets()) names.insert(target.name);
  CHECK(names.size() == fuzz::list_targets().size());
  for (const fs::path& folder : list_entries(kCorpora)) {
    if (fs::is_directory(folder)) CHECK(names.count(folder.filename().string()) == 1);
  }
}

TEST_CASE("fuzz: a refusal is no find, all else that is thrown is one", "[fuzz]") {
  const auto give = [](void (*read)(std::string_view)) {
    fuzz::try_target({"example", read}, "12345");
  };
  CHECK_NOTHROW(give([](std::string_view) {}));
  CHECK_NOTHROW(give([](std::string_view) { throw DataError("a.txt: no number"); }));
  CHECK_THROWS_AS(give([](std::string_view) { throw InternalError("lost count"); }), InternalError);
  CHECK_THROWS_AS(give([](std::string_view) { throw std::out_of_range("at"); }), std::out_of_range);
}

TEST_CASE("fuzz: a reader that takes too long for the size of its input is a find", "[fuzz]") {
  CHECK(fuzz::time_limit_s(65536) > 1.9);
  CHECK(fuzz::time_limit_s(65536) < 2.1);
  const fuzz::Target slow = {
      "slow", [](std::string_view bytes) {
        const std::clock_t start = std::clock();
        const double seconds = 1.1 * fuzz::time_limit_s(bytes.size());
        while (static_cast<double>(std::clock() - start) < seconds * CLOCKS_PER_SEC) {
        }
      }};
  CHECK_THROWS_AS(fuzz::try_target(slow, "12345"), std::runtime_error);
}

namespace {

/// An input that would be out of place among the files of a corpus: one thing repeated.
struct Repeated {
  const char* target;
  std::string before;
  std::string slice;
  std::string behind;
};

std::string fill(const Repeated& input, std::size_t size) {
  std::string bytes = input.before;
  while (bytes.size() + input.behind.size() < size) bytes += input.slice;
  return bytes + input.behind;
}

/// How much longer a reader takes for four times as much: 4 if its time grows with the input, 16 if
/// with the input's square. A reader that needs less than a second harms nobody: 0.
/// A ratio holds on every machine, under sanitizers too.
double compare_times(const fuzz::Target& target, const Repeated& input) {
  constexpr std::size_t kBytes = 64 * 1024;
  constexpr double kHarmless_s = 1;
  const std::string large = fill(input, kBytes);
  const double seconds =
      std::min(fuzz::time_target(target, large), fuzz::time_target(target, large));
  return seconds < kHarmless_s ? 0 : seconds / fuzz::time_target(target, fill(input, kBytes / 4));
}

}  // namespace

TEST_CASE("fuzz: no reader's time grows with the square of its input", "[fuzz]") {
  const std::vector<Repeated> inputs = {
      // Found here, and mended.
      {"prompt", "", "((a:1)", ""},
      {"prompt", "", "[a:", ""},
      {"prompt", "", "[a|", ""},
      {"prompt", "", "[a:b:", ""},
      {"dynamic", "{30000$$", "a|", "}"},
      {"infotext", std::string(30000, '\n') + "\nSteps: 1, Seed: 2", ", Prompt lines: 30000", ""},
      {"table", "cname,portraits\n", "a,b\n", ""},
      {"table", "c", "\",", ""},
      // Of the same kinds.
      {"prompt", "", "(", ""},
      {"prompt", "", "[", ""},
      {"prompt", "", "<a", ""},
      {"prompt", "", "(a:1.1)", ""},
      {"prompt", "", "AND ", ""},
      {"prompt", "", "(BREAK]", ""},
      {"dynamic", "", "{a|", ""},
      {"dynamic", "", "__a", ""},
      {"dynamic", "{2$$", "a|", "}"},
      {"dynamic", "__a__" + std::string(1, '\0'), "x\n", ""},
      {"infotext", "a\nSteps: 1, Seed: 2", ", ab: \"c\"", ""},
      {"infotext", "", "\nNegative prompt: ", ""},
      {"table", "cname,portraits", ",", ""},
      {"table", "cname,portraits\n\"", "\"\"", "\",b"},
      {"settings", "l", "--style A ", ""},
      {"settings", "i", "[", ""},
      {"torch", "P\x80\x02", "]\x94", "."},
      {"tokenizer", "m#version: 0.2\n", "a b\n", ""},
  };
  for (const Repeated& input : inputs) {
    INFO(input.target << ": " << input.slice);
    const auto target = std::find_if(
        fuzz::list_targets().begin(), fuzz::list_targets().end(),
        [&](const fuzz::Target& one) { return one.name == std::string(input.target); });
    REQUIRE(target != fuzz::list_targets().end());
    CHECK(compare_times(*target, input) < 9);
  }
}

TEST_CASE("fuzz: time that grows with the square of an input is noticed", "[fuzz]") {
  const fuzz::Target square = {"square", [](std::string_view bytes) {
                                 volatile std::size_t sum = 0;
                                 for (std::size_t i = 0; i < bytes.size(); ++i) {
                                   for (std::size_t j = 0; j < bytes.size(); ++j) sum = sum + j;
                                 }
                               }};
  CHECK(compare_times(square, {"square", "", "a", ""}) > 9);
}

TEST_CASE("fuzz: an input holds several texts", "[fuzz]") {
  using namespace std::string_view_literals;
  std::string_view rest = "xa\0b\0\0c"sv;
  CHECK(fuzz::take_letter(rest) == 'x');
  CHECK(fuzz::take_section(rest) == "a");
  CHECK(fuzz::take_section(rest) == "b");
  CHECK(fuzz::take_section(rest).empty());
  CHECK(fuzz::take_section(rest) == "c");
  CHECK(fuzz::take_section(rest).empty());
  CHECK(fuzz::take_letter(rest) == 0);
}
