// A TIFF, by libtiff where it is installed.

#include "fuzz/target.h"
#include "image/decoders.h"

using namespace sdx;

SDX_FUZZ_TARGET(tiff) { decode_tiff(bytes); }
