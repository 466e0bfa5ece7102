#include "sdx/training/adam.h"

#include <ATen/ops/tensor.h>

#include <cmath>

#include "support/catch.h"

// The values are torch.optim.Adam's (torch 2.13.0), lr 0.1, for the gradients below.
TEST_CASE("adam: steps are those of torch.optim.Adam", "[training]") {
  sdx::Adam adam;
  at::Tensor values = at::tensor({1.0, -2.0});
  values = adam.update(values, at::tensor({0.5, -4.0}), 0.1);
  CHECK(std::abs(values[0].item<double>() - 0.9) < 1e-6);
  CHECK(std::abs(values[1].item<double>() + 1.9) < 1e-6);
  values = adam.update(values, at::tensor({-1.0, -1.0}), 0.1);
  CHECK(std::abs(values[0].item<double>() - 0.9366104) < 1e-6);
  CHECK(std::abs(values[1].item<double>() + 1.8169402) < 1e-6);
  CHECK(adam.updates == 2);
}
