#pragma once

#include <ATen/core/ivalue.h>

#include <utility>

namespace sdx {

/// Any value, in the form in which autograd's contexts hold values other than tensors.
template <typename Value>
struct HeldValue : torch::CustomClassHolder {
  explicit HeldValue(Value held) : value(std::move(held)) {}
  Value value;
};

template <typename Value>
c10::IValue hold(Value value) {
  return c10::IValue::make_capsule(c10::make_intrusive<HeldValue<Value>>(std::move(value)));
}

/// The value that hold() was given; the type must be the same.
template <typename Value>
const Value& held_value(const c10::IValue& held) {
  return c10::static_intrusive_pointer_cast<HeldValue<Value>>(held.toCapsule())->value;
}

}  // namespace sdx
