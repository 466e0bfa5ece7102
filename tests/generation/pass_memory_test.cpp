#include "generation/pass_memory.h"

#include <cmath>

#include "sdx/util/error.h"
#include "support/throws.h"
#include "support/tiny_bundle.h"

#include "support/catch.h"

using namespace sdx;
using Catch::Matchers::ContainsSubstring;

namespace {

const PassMemory& memory() {
  static const Bundle& bundle = test::tiny_bundle();
  static const auto tokenizer = bundle.load_tokenizer();
  static const TextEncoders encoders(bundle, c10::Device(c10::DeviceType::CPU));
  static const UNet unet(bundle, {});
  static const PassMemory one(bundle.info(), *tokenizer, encoders, unet,
                              c10::Device(c10::DeviceType::CPU));
  return one;
}

ImageSettings with_side(int side_px) {
  ImageSettings settings;
  settings.width_px = side_px;
  settings.height_px = side_px;
  return settings;
}

bool is_near(double a, double b) { return std::abs(a - b) < 1e-6 * b; }

}  // namespace

TEST_CASE("pass memory: it grows with the area, also of the second pass") {
  const double native = memory().estimate_bytes({});
  CHECK(native > 0);
  CHECK(is_near(memory().estimate_bytes(with_side(128)), 4 * native));
  ImageSettings hires;
  hires.hires.scale = 2;
  CHECK(is_near(memory().estimate_bytes(hires), 4 * native));
}

TEST_CASE("pass memory: of a face counts, which is made at the model's own size") {
  const double native = memory().estimate_bytes({});
  ImageSettings small = with_side(32);
  CHECK(is_near(memory().estimate_bytes(small), native / 4));
  small.faces.refine = true;
  CHECK(is_near(memory().estimate_bytes(small), native));
  ImageSettings large = with_side(128);
  large.faces.refine = true;
  CHECK(is_near(memory().estimate_bytes(large), 4 * native));
}

TEST_CASE("pass memory: a picture beyond the free memory is refused") {
  memory().check(with_side(256));
  const std::string message =
      test::catch_message<TryAgainError>([] { memory().check(with_side(65536)); });
  CHECK_THAT(message, ContainsSubstring("`size`: 65536x65536 pixels take about "));
}
