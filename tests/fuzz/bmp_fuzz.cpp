// A BMP.

#include "fuzz/target.h"
#include "image/decoders.h"

using namespace sdx;

SDX_FUZZ_TARGET(bmp) { decode_bmp(bytes); }
