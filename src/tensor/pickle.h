#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "sdx/tensor/pickle_value.h"

namespace sdx {

/// What the globals of a pickle (names of Python classes and functions) mean. Nothing of Python is
/// there to be run: a host answers with plain values or refuses with a DataError.
class PickleHost {
 public:
  virtual ~PickleHost() = default;

  /// The name under which call() will know the global, if it is one that may occur.
  virtual std::string global(const std::string& module, const std::string& name) = 0;
  /// What stands for the global called with `arguments`.
  virtual PickleValue call(const std::string& global, const PickleValue::List& arguments) = 0;
  /// What stands for a new object of the class: Python would not call its constructor.
  virtual PickleValue create(const std::string& global, const PickleValue::List& arguments) = 0;
  /// An object that call() made receives its attributes, or becomes another value by them.
  virtual void set_state(PickleValue& object, const PickleValue& state) = 0;
  /// What an id means that the pickle uses for data outside of itself.
  virtual PickleValue persistent(const PickleValue& id) = 0;
};

struct Unpickled {
  PickleValue value;
  std::size_t bytes;  ///< how long the pickle is; more may follow it
};

/// Reads the pickle that `bytes` begins with: protocols 2 to 5, in the opcodes that Python's own
/// picklers write for plain data and objects. An opaque object that gets items becomes a list or
/// dict of them, as objects of Python's own kinds of lists and dicts do.
/// Source: the opcodes' descriptions in Python's pickletools.
/// @throws DataError with the position of the opcode that is unknown, truncated, misplaced or
///         refused by `host`; also if the pickle makes more than kMaxPickleValues values.
Unpickled unpickle(std::span<std::byte> bytes, PickleHost& host);

/// A checkpoint of Stable Diffusion makes some ten thousand; this many take about half a gigabyte.
inline constexpr std::size_t kMaxPickleValues = 2'000'000;

}  // namespace sdx
