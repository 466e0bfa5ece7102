// Stable Diffusion 1.5 and 2 at their full size, of synthetic weights in half precision: parts
// against diffusers and transformers, and the whole way of a user with the real programs.

#include "full/full_size.h"

namespace fs = std::filesystem;
using sdx::test::FullSize;
using sdx::test::RunResult;

TEST_CASE("full: Stable Diffusion 1.5 is imported, trained and asked for pictures") {
  const FullSize place("sd1");
  const double checkpoint_bytes = static_cast<double>(fs::file_size(place.checkpoint()));
  CHECK(checkpoint_bytes > 1.9e9);
  const RunResult imported = place.import();
  CHECK(imported.peak_bytes < checkpoint_bytes + 1.074e9);
  sdx::test::check_parity(place.bundle(), place.model(), /*full_size=*/true);
  fs::remove(place.checkpoint());

  place.write_faces(512);
  // With previews it would take half an hour on two cores.
  place.run("sdx-train", {"faces", "--name", "Ada", "--model", "models/full", "--steps", "3",
                          "--batch", "1", "--previews", "0"});
  CHECK(fs::exists(place.path() / "embeddings/Ada.safetensors"));
  place.run("sdx-generate", {"<Ada> as an astronaut", "--model", "models/full", "--steps", "2",
                             "--size", "512x512", "--seed", "1"});
  CHECK(sdx::test::entries_in(place.path() / "pictures") == 1);
}

TEST_CASE("full: Stable Diffusion 2 computes what diffusers computes") {
  const FullSize place("sd2");
  const double checkpoint_bytes = static_cast<double>(fs::file_size(place.checkpoint()));
  const RunResult imported = place.import();
  CHECK(imported.peak_bytes < checkpoint_bytes + 1.074e9);
  fs::remove(place.checkpoint());
  sdx::test::check_parity(place.bundle(), place.model(), /*full_size=*/true);
}
