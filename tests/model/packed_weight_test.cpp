#include "model/packed_weight.h"

#include <ATen/Context.h>

#include "support/catch.h"

TEST_CASE("model: this libtorch has the private kernels that packed weights call", "[model]") {
  // False after an upgrade of libtorch: models are right, but slower. See packed_weight.cpp.
  CHECK(sdx::has_packed_kernels() == at::hasMKLDNN());
}
