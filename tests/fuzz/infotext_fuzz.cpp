// How a picture was made, as its text says it: of ours and of other programs.

#include "sdx/generation/infotext.h"

#include <stdexcept>

#include "fuzz/target.h"

using namespace sdx;

SDX_FUZZ_TARGET(infotext) {
  const Infotext infotext = parse_infotext(bytes);
  read_batch_place(infotext);
  was_made_from_image(infotext);
  ImageOptions options;
  read_infotext(infotext, options, [](const std::string& /*key*/) { return false; });
}
