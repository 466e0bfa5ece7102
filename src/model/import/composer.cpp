#include "model/import/composer.h"

#include <ATen/ops/empty.h>

#include <cctype>
#include <sstream>

#include "sdx/util/error.h"
#include "sdx/util/text.h"

namespace sdx {

namespace {

std::vector<std::string> split_path(const std::string& path) {
  std::vector<std::string> names;
  std::istringstream stream(path);
  for (std::string name; std::getline(stream, name, '.');) names.push_back(name);
  return names;
}

/// The TorchScript expression for a submodule; names that are numbers need getattr.
std::string expression(const std::string& path) {
  std::string text = "self";
  for (const std::string& name : split_path(path)) {
    const bool is_number = std::isdigit(static_cast<unsigned char>(name[0])) != 0;
    text = is_number ? "getattr(" + text + ", \"" + name + "\")" : text + "." + name;
  }
  return text;
}

std::string shape_text(at::IntArrayRef shape) {
  std::string text = "[";
  for (const std::int64_t size : shape) {
    text += (text.size() > 1 ? "," : "") + std::to_string(size);
  }
  return text + "]";
}

std::string pair_text(int value) {
  const std::string text = std::to_string(value);
  return "[" + text + ", " + text + "]";
}

std::string number_text(double value) {
  std::ostringstream stream;
  stream.precision(17);
  stream << value;
  return stream.str();
}

}  // namespace

struct Composer::Node {
  Node(const std::string& type_name, const std::shared_ptr<torch::jit::CompilationUnit>& owner)
      : qualified_name(type_name), unit(owner), module(c10::QualifiedName(type_name), owner) {}

  Node& child(const std::string& name) {
    auto& slot = children[name];
    if (!slot) {
      slot = std::make_unique<Node>(qualified_name + "_" + name, unit);
      module.register_module(name, slot->module);
    }
    return *slot;
  }

  std::string qualified_name;
  std::shared_ptr<torch::jit::CompilationUnit> unit;
  torch::jit::Module module;
  std::map<std::string, std::unique_ptr<Node>> children;
};

Composer::Composer(const std::string& part_name, const TensorMap& weights, std::string weights_file)
    : part_name_(part_name),
      weights_(weights),
      weights_file_(std::move(weights_file)),
      root_(std::make_unique<Node>("__torch__." + part_name,
                                   std::make_shared<torch::jit::CompilationUnit>())) {}

Composer::~Composer() = default;

Composer::Node& Composer::node(const std::string& path) {
  Node* current = root_.get();
  for (const std::string& name : split_path(path)) current = &current->child(name);
  return *current;
}

std::string Composer::parameter(const std::string& scope, const std::string& path,
                                const std::string& leaf, const std::vector<std::int64_t>& shape) {
  const std::string name = join_path(join_path(scope, path), leaf);
  const auto found = weights_.find(name);
  if (found == weights_.end()) {
    throw DataError(weights_file_ + ": tensor \"" + name + "\" is missing; expected shape " +
                    shape_text(shape));
  }
  if (found->second.sizes() != at::IntArrayRef(shape)) {
    throw DataError(weights_file_ + ": tensor \"" + name + "\": expected shape " +
                    shape_text(shape) + ", found " + shape_text(found->second.sizes()));
  }
  if (used_.insert(name).second) {
    node(join_path(scope, path))
        .module.register_parameter(leaf, at::empty({0}), /*is_buffer=*/false);
  }
  return expression(path) + "." + leaf;
}

std::string Composer::call(const std::string& path, const std::string& arguments) {
  return expression(path) + ".forward(" + arguments + ")";
}

std::string Composer::conv2d(const std::string& scope, const std::string& path,
                             const std::string& x, int in_channels, int out_channels, int kernel_px,
                             int stride, int padding) {
  const auto weight =
      parameter(scope, path, "weight", {out_channels, in_channels, kernel_px, kernel_px});
  const auto bias = parameter(scope, path, "bias", {out_channels});
  return "torch.conv2d(" + x + ", " + weight + ", " + bias + ", " + pair_text(stride) + ", " +
         pair_text(padding) + ")";
}

std::string Composer::linear(const std::string& scope, const std::string& path,
                             const std::string& x, int in_width, int out_width, bool bias) {
  const auto weight = parameter(scope, path, "weight", {out_width, in_width});
  if (!bias) return "torch.linear(" + x + ", " + weight + ")";
  return "torch.linear(" + x + ", " + weight + ", " + parameter(scope, path, "bias", {out_width}) +
         ")";
}

std::string Composer::group_norm(const std::string& scope, const std::string& path,
                                 const std::string& x, int groups, int channels, double epsilon) {
  require_divisible(join_path(scope, path), "channels", channels, "groups", groups);
  const auto weight = parameter(scope, path, "weight", {channels});
  const auto bias = parameter(scope, path, "bias", {channels});
  return "torch.group_norm(" + x + ", " + std::to_string(groups) + ", " + weight + ", " + bias +
         ", " + number_text(epsilon) + ")";
}

void Composer::require_divisible(const std::string& path, const char* things, int count,
                                 const char* parts, int divisor) const {
  if (divisor > 0 && count % divisor == 0) return;
  throw DataError(weights_file_ + ": \"" + path + "\": " + std::to_string(count) + " " + things +
                  " cannot be cut into " + std::to_string(divisor) + " " + parts);
}

std::string Composer::layer_norm(const std::string& scope, const std::string& path,
                                 const std::string& x, int width, double epsilon) {
  const auto weight = parameter(scope, path, "weight", {width});
  const auto bias = parameter(scope, path, "bias", {width});
  return "torch.layer_norm(" + x + ", [" + std::to_string(width) + "], " + weight + ", " + bias +
         ", " + number_text(epsilon) + ")";
}

std::string Composer::table(const std::string& scope, const std::string& path, int rows,
                            int width) {
  return parameter(scope, path, "weight", {rows, width});
}

void Composer::define(const std::string& scope, const std::string& source) {
  try {
    node(scope).module.define(source);
  } catch (const std::exception& error) {
    throw InternalError("composing " + part_name_ + " at \"" + scope + "\": " + error.what() +
                        "\n" + source);
  }
}

Composer::Program Composer::finish() {
  root_->module.eval();
  for (const at::Tensor& parameter : root_->module.parameters()) {
    parameter.set_requires_grad(false);
  }
  return {root_->module, used_};
}

std::string substitute(std::string text,
                       std::initializer_list<std::pair<std::string_view, std::string>> values) {
  for (const auto& [key, value] : values) {
    text = replace_all(text, key, value);
  }
  return text;
}

std::string join_path(const std::string& scope, const std::string& path) {
  if (scope.empty()) return path;
  if (path.empty()) return scope;
  return scope + "." + path;
}

}  // namespace sdx
