#include "sdx/training/training_summary.h"

#include <cmath>

#include "sdx/util/error.h"

#include "support/catch.h"

namespace {

sdx::TrainingSummary example() {
  sdx::TrainingSummary summary;
  summary.name = "Ada";
  summary.model = "mini";
  summary.embedding = "embeddings/Ada.safetensors";
  summary.steps = 20;
  summary.reason = sdx::StopReason::kSettled;
  summary.best_step = 10;
  summary.skipped_steps = 1;
  summary.start = "person";
  summary.seconds = 8.5;
  summary.peak_memory_gb = 0.25;
  summary.loss = sdx::BeforeAfter{0.5, 0.25};
  summary.likeness = sdx::BeforeAfter{0.125, 0.75};
  return summary;
}

}  // namespace

TEST_CASE("training summary: summary.json has the keys that it had") {
  CHECK(sdx::to_json_text(example()) ==
        R"({
  "name": "Ada",
  "model": "mini",
  "embedding": "embeddings/Ada.safetensors",
  "steps": 20,
  "stopped_because": "the loss has settled",
  "best_step": 10,
  "skipped_steps": 1,
  "start": "person",
  "seconds": 8.5,
  "peak_memory_gb": 0.25,
  "loss_before": 0.5,
  "loss_after": 0.25,
  "likeness_before": 0.125,
  "likeness_after": 0.75
})");
}

TEST_CASE("training summary: it comes back as it was written") {
  const std::string text = sdx::to_json_text(example());
  const sdx::TrainingSummary read = sdx::parse_training_summary(text, "record.json");
  CHECK(read.reason == sdx::StopReason::kSettled);
  CHECK(read.likeness->after == 0.75);
  CHECK(sdx::to_json_text(read) == text);
}

TEST_CASE("training summary: what is missing has its default") {
  const sdx::TrainingSummary read = sdx::parse_training_summary("{\"steps\": 7}", "record.json");
  CHECK(read.steps == 7);
  CHECK(read.name.empty());
  CHECK_FALSE(read.loss);
  CHECK_FALSE(read.likeness);
  sdx::TrainingSummary lost = example();
  lost.loss->after = std::nan("");  // JSON has no such number
  CHECK_FALSE(sdx::parse_training_summary(sdx::to_json_text(lost), "x").loss);
  CHECK_THROWS_AS(sdx::parse_training_summary("[]", "x"), sdx::DataError);
  CHECK_THROWS_AS(sdx::parse_training_summary("{\"steps\": \"7\"}", "x"), sdx::DataError);
}
