// A picture in any format, and the text in it.

#include "fuzz/checksums.h"
#include "fuzz/target.h"
#include "sdx/image/decode.h"
#include "sdx/image/metadata.h"
#include "sdx/util/error.h"

using namespace sdx;

SDX_FUZZ_TARGET(image) {
  const auto file = fuzz::make_file("a.png", fuzz::mend_png(bytes));
  try {
    decode_image(file);
  } catch (const Error& error) {
    if (error.exit_code() == ExitCode::kInternal) throw;
  }
  read_image_texts(file);
  hides_text(file);
}
