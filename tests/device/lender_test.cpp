#include "device/lender.h"

#include "support/throws.h"

#include "support/catch.h"

using sdx::Lender;

namespace {

/// Three things, handed out in turn as libtorch does with a GPU's streams.
struct Turns {
  int made = 0;
  Lender<int> lender = {"streams of the GPU", [this] { return made++ % 3; }, 3};
};

}  // namespace

TEST_CASE("device: nothing is lent to two holders at once", "[device]") {
  Turns turns;
  auto first = turns.lender.lend();
  const auto second = turns.lender.lend();
  CHECK(*first == 0);
  CHECK(*second == 1);
  // Others come and go, more of them than there are things.
  for (int i = 0; i < 7; ++i) CHECK(*turns.lender.lend() == 2);
  const auto third = turns.lender.lend();
  CHECK(sdx::test::catch_message<std::runtime_error>([&] { turns.lender.lend(); }) ==
        "all 3 streams of the GPU are in use");
  const auto copy = first;
  first.reset();
  CHECK_THROWS_AS(turns.lender.lend(), std::runtime_error);  // the copy holds it
  CHECK(*copy == 0);
}

TEST_CASE("device: what somebody else took from the maker is passed over", "[device]") {
  Turns turns;
  const auto first = turns.lender.lend();
  turns.made += 2;  // the next turn begins with the first one again
  CHECK(*turns.lender.lend() == 1);
}

TEST_CASE("device: what is given back after its lender went is nobody's", "[device]") {
  std::shared_ptr<const int> kept;
  {
    Turns turns;
    kept = turns.lender.lend();
  }
  CHECK(*kept == 0);
}
