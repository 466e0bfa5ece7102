#include "sdx/generation/infotext.h"

#include "support/tiny_bundle.h"

#include "support/catch.h"

using Catch::Matchers::ContainsSubstring;
using sdx::test::tiny_bundle;

TEST_CASE("generation: infotext is what AUTOMATIC1111 writes and reads", "[generation]") {
  sdx::GenerationOptions options;
  options.guidance_scale = 7.5;
  const std::string hash = tiny_bundle().short_hash();
  CHECK(hash.size() == 10);
  CHECK(sdx::infotext({"<Ada>, snow", "blurry", 9}, options, tiny_bundle(),
                      "sdx 0.1.0 (abc), libtorch 2") ==
        "<Ada>, snow\nNegative prompt: blurry\nSteps: 20, Sampler: DPM++ 2M, CFG scale: 7.5, Seed: "
        "9, "
        "Size: 64x64, Model hash: " +
            hash + ", Model: tiny, RNG: Philox, Version: \"sdx 0.1.0 (abc), libtorch 2\"");
  CHECK_THAT(sdx::infotext({"snow", "", 9}, options, tiny_bundle(), "1"),
             !ContainsSubstring("Negative prompt"));
}
