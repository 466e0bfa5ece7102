#include "sdx/training/learning_rate.h"

#include <cmath>

#include "sdx/util/error.h"

#include "support/catch.h"

using Catch::Matchers::ContainsSubstring;
using sdx::LearningRate;

TEST_CASE("learning rate: constant, cosine, and pieces as in AUTOMATIC1111", "[training]") {
  CHECK(LearningRate::parse("5e-3").at(1, 10) == 5e-3);
  CHECK(LearningRate::parse(" 0.005 ").at(99, 10) == 0.005);

  const LearningRate cosine = LearningRate::parse("0.004 cosine");
  CHECK(cosine.at(1, 100) == 0.004);
  CHECK(std::abs(cosine.at(51, 100) - 0.002) < 1e-12);
  CHECK(cosine.at(100, 100) > 0);
  CHECK(cosine.at(100, 100) < 1e-5);

  const LearningRate pieces = LearningRate::parse("0.05:10, 0.02:20, 0.005");
  CHECK(pieces.at(1, 100) == 0.05);
  CHECK(pieces.at(10, 100) == 0.05);
  CHECK(pieces.at(11, 100) == 0.02);
  CHECK(pieces.at(20, 100) == 0.02);
  CHECK(pieces.at(21, 100) == 0.005);
}

TEST_CASE("learning rate: what is wrong is named", "[training]") {
  CHECK_THROWS_WITH(LearningRate::parse("fast"), ContainsSubstring("found \"fast\""));
  CHECK_THROWS_WITH(LearningRate::parse("-1"), ContainsSubstring("above 0"));
  CHECK_THROWS_WITH(LearningRate::parse(""), ContainsSubstring("expected a rate"));
  CHECK_THROWS_WITH(LearningRate::parse("nan"), ContainsSubstring("above 0"));
  CHECK_THROWS_WITH(LearningRate::parse("0.05:10"), ContainsSubstring("without a step"));
  CHECK_THROWS_WITH(LearningRate::parse("0.05, 0.02"), ContainsSubstring("RATE:STEP"));
  CHECK_THROWS_WITH(LearningRate::parse("0.05:10, 0.02:5, 0.005"),
                    ContainsSubstring("found 5 after 10"));
  CHECK_THROWS_WITH(LearningRate::parse("0.05:ten, 0.01"), ContainsSubstring("found \"ten\""));
  CHECK_THROWS_AS(LearningRate::parse("0:5, 1"), sdx::UsageError);
}
