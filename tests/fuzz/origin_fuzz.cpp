// The texts of a picture that another program made: keyword, byte 0, text, byte 0, and so on.

#include <map>
#include <string>

#include "fuzz/target.h"
#include "sdx/generation/foreign_infotext.h"
#include "sdx/generation/infotext.h"

using namespace sdx;

SDX_FUZZ_TARGET(origin) {
  std::map<std::string, std::string> texts;
  while (!bytes.empty()) {
    const std::string keyword(fuzz::take_section(bytes));
    texts[keyword] = fuzz::take_section(bytes);
  }
  const auto origin = find_image_origin(texts);
  if (!origin) return;
  list_not_taken_over(origin->infotext);
  list_stated_embeddings(origin->infotext);
  ImageOptions options;
  read_infotext(origin->infotext, options, [](const std::string& /*key*/) { return false; });
}
