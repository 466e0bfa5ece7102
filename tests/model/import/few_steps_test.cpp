#include "model/import/few_steps.h"

#include "support/imported.h"
#include "support/synthetic.h"

#include "support/catch.h"

using Catch::Matchers::ContainsSubstring;
using sdx::test::TempFolder;

TEST_CASE("model: a file whose metadata say Turbo or Lightning has trailing steps, no guidance") {
  const TempFolder folder;
  const sdx::TensorMap tensors = sdx::test::SyntheticModel("sd1-tiny").original_weights(at::kFloat);
  int count = 0;
  const auto import = [&](const std::string& key, const std::string& value) {
    const auto file = folder.path() / (std::to_string(count++) + ".safetensors");
    sdx::write_safetensors(file, tensors, {{key, value}});
    return sdx::test::import_copy(file, folder.path() / std::to_string(count));
  };
  struct Said {
    const char* key;
    const char* value;
    const char* preset;
  };
  for (const auto& [key, value, preset] :
       {Said{"modelspec.title", "SDXL Turbo 1.0", "turbo"},
        Said{"modelspec.description", "a LIGHTNING-fast checkpoint", "lightning"}}) {
    INFO(value);
    const sdx::ImportReport report = import(key, value);
    CHECK(report.info.noise_schedule.timestep_spacing == sdx::TimestepSpacing::kTrailing);
    CHECK(report.info.advice.guidance_scale == 1);
    REQUIRE(report.remarks.size() == 1);
    CHECK_THAT(report.remarks[0],
               ContainsSubstring(value) && ContainsSubstring("trailing") &&
                   ContainsSubstring("`preset-sampling` " + std::string(preset) + " sets"));
  }
  for (const auto& [key, value] : {std::pair{"modelspec.title", "Turbocharged"},
                                   {"modelspec.title", "Nonturbo XL"},
                                   {"ss_output_name", "turbo"}}) {
    INFO(value);
    const sdx::ImportReport report = import(key, value);
    CHECK_FALSE(report.info.noise_schedule.timestep_spacing);
    CHECK(report.info.advice.guidance_scale == 7);
    CHECK(report.remarks.empty());
  }
}
