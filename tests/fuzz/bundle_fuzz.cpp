// A model's bundle.json.

#include "sdx/model/bundle.h"

#include "fuzz/target.h"

using namespace sdx;

SDX_FUZZ_TARGET(bundle) {
  fuzz::make_file("bundle/bundle.json", bytes);
  const Bundle bundle = Bundle::open(fuzz::scratch_folder() / "bundle");
  bundle.short_hash();
  bundle.info().text_widths();
  bundle.info().context_width();
  bundle.info().text_layers();
}
