// The first frame of a GIF.

#include "fuzz/target.h"
#include "image/decoders.h"

using namespace sdx;

SDX_FUZZ_TARGET(gif) { decode_gif(bytes); }
