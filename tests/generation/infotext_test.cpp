#include "sdx/generation/infotext.h"

#include "sdx/image/metadata.h"
#include "sdx/util/json.h"

#include "support/tiny_bundle.h"

#include "support/catch.h"

using Catch::Matchers::ContainsSubstring;
using sdx::test::tiny_bundle;

TEST_CASE("generation: infotext is what AUTOMATIC1111 writes and reads", "[generation]") {
  sdx::GenerationOptions options;
  options.guidance_scale = 7.5;
  const std::string hash = tiny_bundle().short_hash();
  CHECK(hash.size() == 10);
  CHECK(format_infotext(sdx::infotext({"<Ada>, snow", "blurry", 9}, options, tiny_bundle(),
                                      "sdx 0.1.0 (abc), libtorch 2")) ==
        "<Ada>, snow\nNegative prompt: blurry\nSteps: 20, Sampler: DPM++ 2M, CFG scale: 7.5, Seed: "
        "9, "
        "Size: 64x64, Model hash: " +
            hash + ", Model: tiny, RNG: Philox, Version: \"sdx 0.1.0 (abc), libtorch 2\"");
  CHECK_THAT(format_infotext(sdx::infotext({"snow", "", 9}, options, tiny_bundle(), "1")),
             !ContainsSubstring("Negative prompt"));
}

TEST_CASE("generation: the guidance scale of an infotext is exact", "[generation]") {
  sdx::GenerationOptions options;
  for (const double scale : {7.0, 0.1, 7.123456789012345, 1e-7}) {
    options.guidance_scale = scale;
    const sdx::Infotext text = sdx::infotext({"snow", "", 9}, options, tiny_bundle(), "1");
    CHECK(std::stod(text.field("CFG scale").value()) == scale);
  }
}

TEST_CASE("generation: the settings of other programs' pictures are read", "[generation]") {
  const std::filesystem::path folder = std::filesystem::path(SDX_TEST_DATA) / "metadata";
  const sdx::Json expected = sdx::read_json_file(folder / "expected.json")["infotext"];
  for (const std::string name : {"a1111.png", "a1111.jpg", "a1111.webp", "little_endian.jpg"}) {
    CHECK(to_json(sdx::parse_infotext(sdx::read_parameters(folder / name).value())) == expected);
  }
}
