#include "generation/fitting_batch.h"

#include "support/catch.h"

using sdx::fitting_batch;

TEST_CASE("generation: a team's batch is halved until half of a GPU's memory holds it") {
  CHECK(fitting_batch(4, 1e9, 4e9) == 4);
  CHECK(fitting_batch(4, 1e9, 3.9e9) == 2);
  CHECK(fitting_batch(4, 1e9, 2e9) == 2);
  CHECK(fitting_batch(4, 1e9, 1.9e9) == 1);
  CHECK(fitting_batch(4, 9e9, 3e9) == 1);
  CHECK(fitting_batch(1, 9e9, 3e9) == 1);
}
