// How a picture was made, as its text says it: of ours and of other programs.

#include "sdx/generation/infotext.h"

#include <stdexcept>

#include "fuzz/target.h"
#include "sdx/util/utf8.h"

using namespace sdx;

SDX_FUZZ_TARGET(infotext) {
  const Infotext infotext = parse_infotext(bytes);
  // What was read is written so that it is read again.
  if (infotext.fields.size() >= 3 && to_utf8(from_utf8(bytes)) == bytes) {
    if (parse_infotext(format_infotext(infotext)) != infotext) {
      throw std::logic_error("format_infotext wrote what parse_infotext reads otherwise");
    }
  }
  read_batch_place(infotext);
  was_made_from_image(infotext);
  list_not_taken_over(infotext);
  list_stated_embeddings(infotext);
  ImageOptions options;
  read_infotext(infotext, options, [](const std::string& /*key*/) { return false; });
}
