#include "model/lora/lora_kinds.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>

#include "support/tensors.h"
#include "support/tiny_bundle.h"

#include "support/catch.h"

using namespace sdx;
using test::max_difference;
using test::noise;

TEST_CASE("model: one layer for query, key and value changes each by its third") {
  LoraLayer layer;
  layer.tensors = {{LoraRole::kUp, noise(1, {12, 2})}, {LoraRole::kDown, noise(2, {2, 4})}};
  layer.rank = 2;
  layer.alpha = 1;
  const at::Tensor whole = layer.at(LoraRole::kUp).matmul(layer.at(LoraRole::kDown)) / 2;
  const at::Tensor weight = at::ones({4, 4});
  std::vector<at::Tensor> thirds;
  for (const int third : {0, 1, 2}) {
    CHECK(fits_weight(layer, weight.sizes(), third));
    thirds.push_back(compute_addition(layer, weight, third));
  }
  CHECK(max_difference(at::cat(thirds), whole) < 1e-6);
  CHECK_FALSE(fits_weight(layer, weight.sizes(), -1));
}

TEST_CASE("model: a matrix fits a linear layer and a convolution of one place") {
  LoraLayer layer;
  layer.tensors = {{LoraRole::kUp, noise(1, {8, 2, 1, 1})},
                   {LoraRole::kDown, noise(2, {2, 4, 1, 1})}};
  CHECK(fits_weight(layer, {8, 4}, -1));
  CHECK(fits_weight(layer, {8, 4, 1, 1}, -1));
  CHECK_FALSE(fits_weight(layer, {8, 4, 3, 3}, -1));
  CHECK_FALSE(fits_weight(layer, {8}, -1));
  CHECK(compute_addition(layer, at::ones({8, 4, 1, 1}), -1).sizes() ==
        at::IntArrayRef({8, 4, 1, 1}));
  // A magnitude needs one value for each row, or for each column.
  layer.tensors[LoraRole::kMagnitude] = at::ones({1, 4});
  CHECK(fits_weight(layer, {8, 4}, -1));
  layer.tensors[LoraRole::kMagnitude] = at::ones({8});
  CHECK(fits_weight(layer, {8, 4}, -1));
  layer.tensors[LoraRole::kMagnitude] = at::ones({5});
  CHECK_FALSE(fits_weight(layer, {8, 4}, -1));
}

TEST_CASE("model: a magnitude that is the changed weight's own length changes no length") {
  LoraLayer layer;
  layer.tensors = {{LoraRole::kUp, noise(1, {6, 1})}, {LoraRole::kDown, noise(2, {1, 4})}};
  const at::Tensor weight = noise(3, {6, 4});
  const at::Tensor changed = weight + layer.at(LoraRole::kUp).matmul(layer.at(LoraRole::kDown));
  layer.tensors[LoraRole::kMagnitude] = changed.norm(2, 1);
  CHECK(max_difference(weight + compute_addition(layer, weight, -1), changed) < 1e-5);
  layer.tensors[LoraRole::kMagnitude] = weight.norm(2, {0}, true);
  const at::Tensor turned = weight + compute_addition(layer, weight, -1);
  CHECK(max_difference(turned.norm(2, 0), weight.norm(2, 0)) < 1e-5);
}
