#include "sdx/tensor/pickle_value.h"

#include <algorithm>

#include "sdx/util/error.h"
#include "sdx/util/text.h"

namespace sdx {

struct PickleValue::Container {
  enum class Kind { kList, kTuple, kDict };
  Kind kind;
  List items;
  Dict entries;
  int depth = 1;          ///< 1 + that of the deepest container in it
  bool enclosed = false;  ///< whether another container holds it; then it is finished
};

PickleValue PickleValue::make_boolean(bool value) { return PickleValue(value); }
PickleValue PickleValue::make_integer(std::int64_t value) { return PickleValue(value); }
PickleValue PickleValue::make_real(double value) { return PickleValue(value); }
PickleValue PickleValue::make_tensor(at::Tensor value) { return PickleValue(std::move(value)); }

PickleValue PickleValue::make_text(std::string value) {
  return PickleValue(Words{Wording::kText, std::make_shared<const std::string>(std::move(value))});
}

PickleValue PickleValue::make_bytes(std::string value) {
  return PickleValue(Words{Wording::kBytes, std::make_shared<const std::string>(std::move(value))});
}

PickleValue PickleValue::make_opaque(std::string name) {
  return PickleValue(Words{Wording::kOpaque, std::make_shared<const std::string>(std::move(name))});
}

PickleValue PickleValue::make_list() {
  return PickleValue(std::make_shared<Container>(Container{Container::Kind::kList, {}, {}}));
}

PickleValue PickleValue::make_tuple(List items) {
  const auto made = std::make_shared<Container>(Container{Container::Kind::kTuple, {}, {}});
  for (const PickleValue& item : items) item.put_into(*made);
  made->items = std::move(items);
  return PickleValue(made);
}

PickleValue PickleValue::make_dict() {
  return PickleValue(std::make_shared<Container>(Container{Container::Kind::kDict, {}, {}}));
}

bool PickleValue::is_none() const { return std::holds_alternative<std::monostate>(value_); }
const bool* PickleValue::boolean() const { return std::get_if<bool>(&value_); }
const std::int64_t* PickleValue::integer() const { return std::get_if<std::int64_t>(&value_); }
const double* PickleValue::real() const { return std::get_if<double>(&value_); }
const at::Tensor* PickleValue::tensor() const { return std::get_if<at::Tensor>(&value_); }
const std::string* PickleValue::text() const { return words(Wording::kText); }
const std::string* PickleValue::bytes() const { return words(Wording::kBytes); }
const std::string* PickleValue::opaque() const { return words(Wording::kOpaque); }

const std::string* PickleValue::words(Wording wording) const {
  const Words* words = std::get_if<Words>(&value_);
  return words != nullptr && words->wording == wording ? words->value.get() : nullptr;
}

const PickleValue::Container* PickleValue::container() const {
  const auto* pointer = std::get_if<std::shared_ptr<Container>>(&value_);
  return pointer != nullptr ? pointer->get() : nullptr;
}

const PickleValue::List* PickleValue::list() const {
  const Container* found = container();
  return found != nullptr && found->kind != Container::Kind::kDict ? &found->items : nullptr;
}

const PickleValue::Dict* PickleValue::dict() const {
  const Container* found = container();
  return found != nullptr && found->kind == Container::Kind::kDict ? &found->entries : nullptr;
}

const PickleValue* PickleValue::find(std::string_view key) const {
  const Dict* entries = dict();
  if (entries == nullptr) return nullptr;
  const auto found = std::find_if(entries->rbegin(), entries->rend(), [key](const auto& entry) {
    return entry.first.text() != nullptr && *entry.first.text() == key;
  });
  return found != entries->rend() ? &found->second : nullptr;
}

std::string PickleValue::description() const {
  if (is_none()) return "None";
  if (boolean() != nullptr) return *boolean() ? "True" : "False";
  if (integer() != nullptr) return "the number " + std::to_string(*integer());
  if (real() != nullptr) return "the number " + std::to_string(*real());
  if (text() != nullptr) return "the text " + in_quotes(*text());
  if (bytes() != nullptr) return std::to_string(bytes()->size()) + " bytes";
  if (opaque() != nullptr) return "an object of " + in_quotes(*opaque());
  if (tensor() != nullptr) return "a tensor";
  if (dict() != nullptr) return "a dict of " + std::to_string(dict()->size()) + " entries";
  return "a list of " + std::to_string(list()->size()) + " items";
}

/// Ends the growth of this container, if it is one, because `parent` takes it up. Whatever is in a
/// container is finished before it gets there, so depths stay true and no circle can close.
void PickleValue::put_into(Container& parent) const {
  const auto* child = std::get_if<std::shared_ptr<Container>>(&value_);
  if (child == nullptr) return;
  (*child)->enclosed = true;
  parent.depth = std::max(parent.depth, (*child)->depth + 1);
  if (parent.depth > kMaxDepth) {
    throw DataError("its containers are nested more than " + std::to_string(kMaxDepth) + " deep");
  }
}

PickleValue::Container& PickleValue::growing(bool as_dict) {
  const auto* pointer = std::get_if<std::shared_ptr<Container>>(&value_);
  const auto kind = as_dict ? Container::Kind::kDict : Container::Kind::kList;
  if (pointer == nullptr || (*pointer)->kind != kind) {
    throw DataError(std::string("expected a ") + (as_dict ? "dict" : "list") +
                    " to put something into, found " + description());
  }
  return **pointer;
}

void PickleValue::append(PickleValue item) {
  Container& self = growing(false);
  item.put_into(self);
  if (self.enclosed)
    throw DataError("a list changes after it was put into another value (or is cyclic)");
  self.items.push_back(std::move(item));
}

void PickleValue::insert(PickleValue key, PickleValue value) {
  Container& self = growing(true);
  key.put_into(self);
  value.put_into(self);
  if (self.enclosed)
    throw DataError("a dict changes after it was put into another value (or is cyclic)");
  self.entries.emplace_back(std::move(key), std::move(value));
}

}  // namespace sdx
