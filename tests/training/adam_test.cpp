#include "sdx/training/adam.h"

#include <ATen/ops/tensor.h>

#include <cmath>

#include "support/catch.h"

// The values are torch.optim.Adam's (torch 2.13.0), lr 0.1, for the gradients below.
TEST_CASE("adam: steps are those of torch.optim.Adam", "[training]") {
  sdx::Adam adam;
  sdx::EmbeddingVectors values = at::tensor({1.0, -2.0}).unsqueeze(0);
  const auto step = [&](double first, double second) {
    values = adam.update(values, at::tensor({first, second}).unsqueeze(0), 0.1);
    return values.only()[0];
  };
  const at::Tensor once = step(0.5, -4.0);
  CHECK(std::abs(once[0].item<double>() - 0.9) < 1e-6);
  CHECK(std::abs(once[1].item<double>() + 1.9) < 1e-6);
  const at::Tensor twice = step(-1.0, -1.0);
  CHECK(std::abs(twice[0].item<double>() - 0.9366104) < 1e-6);
  CHECK(std::abs(twice[1].item<double>() + 1.8169402) < 1e-6);
  CHECK(adam.updates == 2);
}

TEST_CASE("adam: the vectors of each text encoder move as they would alone", "[training]") {
  const sdx::EmbeddingVectors start(std::vector{at::ones({2, 3}), at::ones({2, 5}) * 2});
  const sdx::EmbeddingVectors gradient(std::vector{at::ones({2, 3}) * 0.3, at::ones({2, 5}) * -7});
  sdx::Adam both;
  sdx::Adam alone;
  sdx::EmbeddingVectors together = start;
  sdx::EmbeddingVectors second = start.matrix(1);
  for (int step = 0; step < 3; ++step) {
    together = both.update(together, gradient, 0.1);
    second = alone.update(second, gradient.matrix(1), 0.1);
  }
  CHECK(together.widths() == std::vector<std::int64_t>{3, 5});
  CHECK(at::equal(together.matrix(1), second.only()));
  CHECK(together.matrix(0).lt(1).all().item<bool>());
  CHECK(together.matrix(1).gt(2).all().item<bool>());
}
