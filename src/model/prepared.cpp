#include "model/prepared.h"

#include <ATen/ops/empty.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/custom_class.h>

#include <optional>
#include <vector>

#include "model/attention.h"
#include "model/packed_weight.h"

namespace sdx {

namespace {

using torch::jit::Graph;
using torch::jit::Module;
using torch::jit::Node;
using torch::jit::Value;

std::vector<Node*> find_nodes(Graph& graph, c10::Symbol kind) {
  std::vector<Node*> found;
  for (Node* node : graph.nodes()) {
    if (node->kind() == kind) found.push_back(node);
  }
  return found;
}

/// Puts a node with one result before `place`.
Value* insert(Node* place, const char* kind, const std::vector<Value*>& inputs) {
  Node* node = place->owningGraph()->create(c10::Symbol::fromQualString(kind), inputs);
  node->insertBefore(place);
  return node->output();
}

void replace(Node* node, Value* by) {
  node->output()->replaceAllUsesWith(by);
  node->destroy();
}

/// The rewriting of one method.
class Preparation {
 public:
  Preparation(const Module& self, Graph& graph, at::ScalarType dtype)
      : self_(self), graph_(graph), dtype_(dtype) {}

  void run() {
    for (Node* node : find_nodes(graph_, c10::aten::mul)) join_gate(node);
    for (Node* node : find_nodes(graph_, c10::aten::conv2d)) use_packed_weight(node, "sdx::conv2d");
    for (Node* node : find_nodes(graph_, c10::aten::linear)) use_packed_weight(node, "sdx::linear");
    // In the program for the sake of images with the channels first.
    for (Node* node : find_nodes(graph_, c10::aten::contiguous)) replace(node, node->input(0));
    if (dtype_ != at::kBFloat16 || !has_bfloat16_attention()) return;
    const auto attention = c10::Symbol::fromQualString("aten::scaled_dot_product_attention");
    for (Node* node : find_nodes(graph_, attention)) {
      replace(node,
              insert(node, kAttentionOperator, {node->input(0), node->input(1), node->input(2)}));
    }
  }

 private:
  /// The module whose attribute `value` is: of `self.a.b.weight` it is `self.a.b`.
  Module find_owner(Value* value) const {
    Value* owner = value->node()->input(0);
    if (owner->node()->kind() != c10::prim::GetAttr) return self_;
    return find_owner(owner).attr(owner->node()->s(c10::attr::name)).toModule();
  }

  /// `weight` becomes another attribute of the same module; what it was stays.
  Value* packed(Value* parameter, const at::Tensor& weight, const std::string& name, Node* place) {
    Module owner = find_owner(parameter);
    if (!owner.hasattr(name)) {
      owner.register_attribute(name, c10::getCustomClassType<c10::intrusive_ptr<PackedWeight>>(),
                               c10::make_intrusive<PackedWeight>(weight, dtype_));
    }
    const torch::jit::WithInsertPoint here(place);
    return graph_.insertGetAttr(parameter->node()->input(0), name);
  }

  at::Tensor find_tensor(Value* parameter) const {
    return find_owner(parameter).attr(parameter->node()->s(c10::attr::name)).toTensor();
  }

  void use_packed_weight(Node* node, const char* kind) {
    if (node->input(1)->node()->kind() != c10::prim::GetAttr) return;
    std::vector<Value*> inputs = node->inputs().vec();
    inputs[1] = packed(inputs[1], find_tensor(inputs[1]), "packed_weight", node);
    replace(node, insert(node, kind, inputs));
  }

  /// `a, gate = chunk(linear(x), 2, -1); a * gelu(gate)` becomes one operator.
  void join_gate(Node* product) {
    Node* gelu = product->input(1)->node();
    Node* halves = product->input(0)->node();
    if (gelu->kind() != c10::aten::gelu || gelu->input(0)->node() != halves ||
        halves->kind() != c10::prim::ListUnpack) {
      return;
    }
    Node* chunk = halves->input()->node();
    Node* linear = chunk->input(0)->node();
    if (linear->kind() != c10::aten::linear) return;
    Value* weight = linear->input(1);
    const std::vector<at::Tensor> weights = find_tensor(weight).chunk(2);
    replace(product,
            insert(product, "sdx::gated_linear",
                   {linear->input(0), packed(weight, weights[0], "packed_value", product),
                    packed(weight, weights[1], "packed_gate", product), linear->input(2)}));
    for (Node* unused : {gelu, halves, chunk, linear}) unused->destroy();
  }

  Module self_;
  Graph& graph_;
  at::ScalarType dtype_;
};

}  // namespace

void prepare_for_inference(Module& module, at::ScalarType dtype) {
  for (const Module& part : module.modules()) {
    for (const torch::jit::Method& method : part.get_methods()) {
      Preparation(part, *method.graph(), dtype).run();
    }
  }
  // Biases and norms are left to the program; the others' last view is now their packed weight's.
  for (at::Tensor parameter : module.parameters()) {
    parameter.set_data(parameter.dim() <= 1 ? parameter.to(dtype) : at::empty({0}));
  }
}

}  // namespace sdx
