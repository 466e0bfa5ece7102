#include "model/script_part.h"

#include <ATen/ops/zeros.h>
#include <torch/csrc/jit/api/module.h>

#include "sdx/util/error.h"
#include "support/child.h"
#include "support/throws.h"

#include "support/catch.h"

using sdx::test::contains;
using sdx::test::message_of;

namespace {

torch::jit::Module module_of(const char* source) {
  torch::jit::Module module("part");
  module.define(source);
  return module;
}

}  // namespace

TEST_CASE("model: memory that runs out inside a part may be there another time", "[model]") {
  const auto part = module_of(
      "def forward(self, rows: int):\n"
      "    return torch.zeros([rows, 1 << 40])\n");
  const std::string message =
      message_of<sdx::TryAgainError>([&] { sdx::run_method(part, "forward", {std::int64_t{1}}); });
  CHECK(contains(message, "out of memory (4398046511104 bytes more were wanted)"));
}

TEST_CASE("model: what fails inside a part is told without the places around it", "[model]") {
  const auto part = module_of(
      "def forward(self, a, b):\n"
      "    return torch.mm(a, b)\n");
  const std::string message = message_of<sdx::InternalError>(
      [&] { sdx::run_method(part, "forward", {at::zeros({2, 3}), at::zeros({2, 3})}); });
  CHECK(contains(message, "the model's \"forward\": mat1 and mat2 shapes cannot be multiplied"));
  CHECK_FALSE(contains(message, "Traceback"));
  CHECK_FALSE(contains(message, "\n"));
}
