// What libFuzzer calls, in a program with one target.

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "fuzz/target.h"

namespace {

/// The middle of the input, repeated until all of it has `most` bytes at most: ten thousand
/// brackets, lines or entries show a reader whose time grows with the square of their number, and
/// chance alone would not make them.
std::size_t repeat_slice(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed) {
  constexpr std::size_t kLongestSlice = 64;
  const std::size_t begin = seed % size;
  const std::size_t length = std::min(1 + (seed / 7) % kLongestSlice, size - begin);
  const std::size_t end = begin + length;
  const std::size_t copies = (most - size) / length / (1 + seed % 3);
  std::memmove(data + end + copies * length, data + end, size - end);
  for (std::size_t i = 0; i < copies * length; ++i) data[end + i] = data[begin + i];
  return size + copies * length;
}

}  // namespace

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t most, unsigned seed) {
  constexpr unsigned kSeldom = 200;
  constexpr std::size_t kUsual = 4096;  // small inputs are read a hundred times as often
  if (seed % kSeldom == 0 && size > 0 && size < most) {
    return repeat_slice(data, size, most, seed / kSeldom);
  }
  return LLVMFuzzerMutate(data, std::min(size, kUsual), std::min(most, kUsual));
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // An exception that leaves this function ends the process, and libFuzzer keeps the input.
  sdx::fuzz::try_target(sdx::fuzz::list_targets().front(),
                        {reinterpret_cast<const char*>(data), size});
  return 0;
}
