#pragma once

#include <torch/csrc/jit/api/module.h>

#include <initializer_list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sdx/tensor/safetensors.h"

namespace sdx {

/// Composes a TorchScript module whose tree of submodules is that of the weights' names
/// ("down_blocks.0.resnets.1.conv1.weight") and whose methods are given as TorchScript source.
///
/// Callees are defined before their callers. In the source of a scope, layers are written as the
/// expressions that conv2d(), linear(), … return; each call checks that the weights it needs are
/// there in the expected shape, and marks them as used.
class Composer {
 public:
  /// @param weights_file  named in errors
  Composer(const std::string& part_name, const TensorMap& weights, std::string weights_file);
  ~Composer();

  /// The call `scope.path.forward(arguments)`, seen from `scope`; both are dotted paths from the
  /// root, `path` relative to `scope`.
  static std::string call(const std::string& path, const std::string& arguments);

  /// `x` through the layer at `scope` + `path`.
  std::string conv2d(const std::string& scope, const std::string& path, const std::string& x,
                     int in_channels, int out_channels, int kernel_px, int stride = 1,
                     int padding = 0);
  std::string linear(const std::string& scope, const std::string& path, const std::string& x,
                     int in_width, int out_width, bool bias = true);
  std::string group_norm(const std::string& scope, const std::string& path, const std::string& x,
                         int groups, int channels, double epsilon);
  std::string layer_norm(const std::string& scope, const std::string& path, const std::string& x,
                         int width, double epsilon);
  /// The weight itself.
  std::string table(const std::string& scope, const std::string& path, int rows, int width);

  /// @throws DataError unless `count` things can be cut into `divisor` equal parts.
  void require_divisible(const std::string& path, const char* things, int count, const char* parts,
                         int divisor) const;

  /// Adds a method to the module at `scope` ("" is the root).
  void define(const std::string& scope, const std::string& source);

  /// The module, without its weights (empty tensors stand in their places), and the names of the
  /// tensors it uses.
  struct Program {
    torch::jit::Module module;
    std::set<std::string> used;
  };
  Program finish();

 private:
  struct Node;
  Node& node(const std::string& path);
  std::string parameter(const std::string& scope, const std::string& path, const std::string& leaf,
                        const std::vector<std::int64_t>& shape);

  std::string part_name_;
  const TensorMap& weights_;
  std::string weights_file_;
  std::unique_ptr<Node> root_;
  std::set<std::string> used_;
};

/// `text` with every `$KEY` replaced; keys are replaced in the order given.
std::string substitute(std::string text,
                       std::initializer_list<std::pair<std::string_view, std::string>> values);

/// "a.b" from "a" and "b", "b" from "" and "b".
std::string join_path(const std::string& scope, const std::string& path);

}  // namespace sdx
