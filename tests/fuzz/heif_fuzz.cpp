// HEIC and AVIF, by libheif where it is installed. The first letter says which: h or a.

#include "fuzz/target.h"
#include "image/decoders.h"

using namespace sdx;

SDX_FUZZ_TARGET(heif) {
  const char kind = fuzz::take_letter(bytes);
  kind == 'a' ? decode_avif(bytes) : decode_heic(bytes);
}
