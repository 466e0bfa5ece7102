// SDXL, SSD-1B and Segmind Vega at their full size, of synthetic weights in half precision: parts
// against diffusers and transformers, and the whole way of a user with the real programs.

#include "full/full_size.h"

namespace fs = std::filesystem;
using sdx::test::FullSize;
using sdx::test::RunResult;

namespace {

constexpr double kMostBytes = 24. * 1024 * 1024 * 1024;

/// Imports it and compares its parts. Memory stays below the file plus 1 GiB.
void check_import(const FullSize& place, double least_bytes) {
  const auto checkpoint_bytes = static_cast<double>(fs::file_size(place.checkpoint()));
  CHECK(checkpoint_bytes > least_bytes);
  const RunResult imported = place.import();
  CHECK(imported.peak_bytes < checkpoint_bytes + 1.074e9);
  fs::remove(place.checkpoint());
  sdx::test::check_parity(place.bundle(), place.model(), /*full_size=*/true);
}

}  // namespace

TEST_CASE("full: SDXL computes what diffusers computes") { check_import(FullSize("sdxl"), 6.9e9); }

TEST_CASE("full: SDXL draws a picture and learns a word") {
  const FullSize place("sdxl");
  place.import();
  fs::remove(place.checkpoint());
  const RunResult drawn =
      place.run("sdx-generate", {"an astronaut", "--model", "models/full", "--steps", "2", "--size",
                                 "1024x1024", "--seed", "1", "--dtype", "bf16"});
  CHECK(drawn.peak_bytes < kMostBytes);
  CHECK(sdx::test::entries_in(place.path() / "pictures") == 1);
  // With previews it would take hours on two cores.
  place.write_faces(768);
  const RunResult trained = place.run(
      "sdx-train", {"faces", "--name", "Ada", "--model", "models/full", "--steps", "2", "--batch",
                    "1", "--dtype", "bf16", "--size", "768", "--previews", "0"});
  CHECK(trained.peak_bytes < kMostBytes);
  CHECK(fs::exists(place.path() / "embeddings/Ada.safetensors"));
}

TEST_CASE("full: SSD-1B computes what diffusers computes") {
  check_import(FullSize("ssd1b"), 4.2e9);
}

TEST_CASE("full: Segmind Vega computes what diffusers computes") {
  check_import(FullSize("vega"), 3.1e9);
}
