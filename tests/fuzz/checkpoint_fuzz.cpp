// A checkpoint of a training. The input is the header's JSON, a byte 0, and the tensors' bytes:
// this target writes the header's length, which chance would seldom get right.

#include "sdx/training/checkpoint.h"

#include <string>

#include "fuzz/target.h"

using namespace sdx;

SDX_FUZZ_TARGET(checkpoint) {
  const std::string_view header = fuzz::take_section(bytes);
  std::string file;
  for (unsigned i = 0; i < 8; ++i) file += static_cast<char>((header.size() >> (8 * i)) & 0xffU);
  file.append(header).append(bytes);
  read_checkpoint(fuzz::make_file("000012.safetensors", file));
}
