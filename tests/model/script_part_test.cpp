#include "model/script_part.h"

#include <ATen/ops/full_like.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/library.h>

#include <thread>

#include "sdx/util/error.h"
#include "support/child.h"
#include "support/throws.h"

#include "support/catch.h"

using sdx::test::catch_message;
using sdx::test::contains;

namespace {

torch::jit::Module make_module(const char* source) {
  torch::jit::Module module("part");
  module.define(source);
  return module;
}

at::Tensor is_optimising(const at::Tensor& like) {
  return at::full_like(like, torch::jit::getGraphExecutorOptimize() ? 1 : 0);
}

TORCH_LIBRARY(sdx_test, library) { library.def("is_optimising", &is_optimising); }

/// A program that says whether libtorch's executor would optimise it.
torch::jit::Module telling_module() {
  torch::jit::Module module = make_module(
      "def forward(self, x: Tensor) -> Tensor:\n"
      "    return torch.neg(x)\n");
  torch::jit::Graph& graph = *module.get_method("forward").graph();
  torch::jit::Node* negation = *graph.nodes().begin();
  torch::jit::Node* question =
      graph.create(c10::Symbol::fromQualString("sdx_test::is_optimising"), {negation->input(0)});
  question->insertBefore(negation);
  negation->output()->replaceAllUsesWith(question->output());
  negation->destroy();
  return module;
}

}  // namespace

TEST_CASE("model: a program runs as it is in every thread", "[model]") {
  const auto part = telling_module();
  const auto ask = [&] { return sdx::run_method(part, "forward", {at::zeros({})}).item<float>(); };
  CHECK(ask() == 0);
  bool before = false;
  bool after = false;
  float answer = -1;
  std::thread([&] {
    before = torch::jit::getGraphExecutorOptimize();
    answer = ask();
    after = torch::jit::getGraphExecutorOptimize();
  }).join();
  CHECK(answer == 0);
  CHECK(before);  // libtorch's switch is one for each thread, and on at first
  CHECK(after);   // and is left as it was
}

TEST_CASE("model: memory that runs out inside a part may be there another time", "[model]") {
  const auto part = make_module(
      "def forward(self, rows: int):\n"
      "    return torch.zeros([rows, 1 << 40])\n");
  const std::string message = catch_message<sdx::TryAgainError>(
      [&] { sdx::run_method(part, "forward", {std::int64_t{1}}); });
  CHECK(contains(message, "out of memory (4398046511104 bytes more were wanted)"));
}

TEST_CASE("model: what fails inside a part is told without the places around it", "[model]") {
  const auto part = make_module(
      "def forward(self, a, b):\n"
      "    return torch.mm(a, b)\n");
  const std::string message = catch_message<sdx::InternalError>([&] {
    sdx::run_method(part, "forward", {at::zeros({2, 3}), at::zeros({2, 3})});
  });
  CHECK(contains(message, "the model's \"forward\": mat1 and mat2 shapes cannot be multiplied"));
  CHECK_FALSE(contains(message, "Traceback"));
  CHECK_FALSE(contains(message, "\n"));
}
