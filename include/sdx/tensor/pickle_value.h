#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace sdx {

/// A value out of a Python pickle, as plain data: None, a truth value, a number, text, bytes, a
/// list (tuples and sets are lists too), a dict in its order with keys of any kind, a tensor, or an
/// *opaque* thing. Of an opaque thing, only the name of its Python class or function is kept.
///
/// Copies share their containers, as Python's names do: what a file refers to twice is in memory
/// once, so no small file unfolds into a huge value. Containers never contain themselves and are at
/// most kMaxDepth deep, so walking or destroying one needs little stack.
class PickleValue {
 public:
  using List = std::vector<PickleValue>;
  using Dict = std::vector<std::pair<PickleValue, PickleValue>>;
  static constexpr int kMaxDepth = 100;

  PickleValue() = default;  ///< None
  static PickleValue make_boolean(bool value);
  static PickleValue make_integer(std::int64_t value);
  static PickleValue make_real(double value);
  static PickleValue make_text(std::string value);
  static PickleValue make_bytes(std::string value);
  static PickleValue make_opaque(std::string name);
  static PickleValue make_tensor(at::Tensor value);
  static PickleValue make_list();
  static PickleValue make_tuple(List items);
  static PickleValue make_dict();

  bool is_none() const;
  /// The value as one of its kinds, or null if it is of another.
  const bool* boolean() const;
  const std::int64_t* integer() const;
  const double* real() const;
  const std::string* text() const;
  const std::string* bytes() const;
  const std::string* opaque() const;  ///< for example "torch.float16"
  const at::Tensor* tensor() const;
  const List* list() const;
  const Dict* dict() const;

  /// The entry of a dict under a text; of a key that is there twice the last, as in Python. Null if
  /// there is none or this is no dict.
  const PickleValue* find(std::string_view key) const;

  /// What it is, for messages: "a dict of 3 entries", "the text \"cpu\"".
  std::string description() const;

  /// Adds to a list or dict that is being built.
  /// @throws DataError if it is neither, or a tuple; if it has been put into another container
  ///         already (only so could it come to contain itself); if it becomes too deep.
  void append(PickleValue item);
  void insert(PickleValue key, PickleValue value);

 private:
  struct Container;
  enum class Wording { kText, kBytes, kOpaque };
  struct Words {
    Wording wording;
    std::shared_ptr<const std::string> value;
  };

  template <typename T>
  explicit PickleValue(T value) : value_(std::move(value)) {}
  const std::string* words(Wording wording) const;
  const Container* container() const;
  void put_into(Container& parent) const;
  Container& growing(bool as_dict);

  std::variant<std::monostate, bool, std::int64_t, double, Words, at::Tensor,
               std::shared_ptr<Container>>
      value_;
};

}  // namespace sdx
