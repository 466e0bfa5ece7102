#include "sdx/generation/generator.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/zeros.h>

#include <cmath>

#include "sdx/util/error.h"
#include "support/tiny_bundle.h"

#include "support/catch.h"

using Catch::Matchers::ContainsSubstring;
using sdx::test::tiny_bundle;

namespace {

std::vector<sdx::GeneratedImage> generate(const std::vector<sdx::ImageRequest>& requests,
                                          const sdx::GenerationOptions& options,
                                          const std::optional<at::Tensor>& latents = std::nullopt) {
  static const sdx::Generator generator(tiny_bundle(), {});
  std::vector<sdx::GeneratedImage> images;
  generator.generate(
      requests, options, {},
      [&](std::size_t, const sdx::GeneratedImage& image) { images.push_back(image); }, {}, latents);
  return images;
}

double psnr_db(const sdx::Image& a, const sdx::Image& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.rgb.size(); ++i) {
    const double difference = static_cast<double>(a.rgb[i]) - static_cast<double>(b.rgb[i]);
    sum += difference * difference;
  }
  return sum == 0 ? 999.0
                  : 10 * std::log10(255.0 * 255.0 * static_cast<double>(a.rgb.size()) / sum);
}

sdx::GenerationOptions few_steps() {
  sdx::GenerationOptions options;
  options.steps = 4;
  return options;
}

}  // namespace

TEST_CASE("generation: the same request gives the same picture, another seed another",
          "[generation]") {
  const auto a = generate({{"a robot", "", 3}}, few_steps());
  const auto b = generate({{"a robot", "", 3}}, few_steps());
  const auto c = generate({{"a robot", "", 4}}, few_steps());
  CHECK(a[0].image.width_px == 64);
  CHECK(a[0].image.rgb == b[0].image.rgb);
  CHECK(a[0].image.rgb != c[0].image.rgb);
}

TEST_CASE("generation: a seed's noise is its own", "[generation]") {
  const at::Tensor noise = sdx::seed_latents(7, 4, 8, 8);
  CHECK(at::equal(noise, sdx::seed_latents(7, 4, 8, 8)));
  CHECK_FALSE(at::equal(noise, sdx::seed_latents(8, 4, 8, 8)));
  CHECK(std::abs(noise.mean().item<double>()) < 0.2);
  CHECK(std::abs(noise.std().item<double>() - 1) < 0.2);
}

TEST_CASE("generation: a picture made in a batch is the one made alone", "[generation]") {
  std::vector<sdx::ImageRequest> requests;
  for (std::uint64_t seed = 0; seed < 5; ++seed)
    requests.push_back({"a robot in the snow", "", seed});
  const auto together = generate(requests, few_steps());
  REQUIRE(together.size() == 5);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    CHECK(psnr_db(together[i].image, generate({requests[i]}, few_steps())[0].image) >= 50);
  }
}

TEST_CASE("generation: prompt, negative prompt and guidance each matter", "[generation]") {
  const auto base = generate({{"a robot", "", 3}}, few_steps())[0].image.rgb;
  CHECK(generate({{"snow", "", 3}}, few_steps())[0].image.rgb != base);
  CHECK(generate({{"a robot", "hat", 3}}, few_steps())[0].image.rgb != base);
  auto options = few_steps();
  options.guidance_scale = 1;
  const auto unguided = generate({{"a robot", "", 3}}, options)[0].image.rgb;
  CHECK(unguided != base);
  CHECK(generate({{"a robot", "hat", 3}}, options)[0].image.rgb == unguided);
}

TEST_CASE("generation: given latents take the place of the seed's noise", "[generation]") {
  const at::Tensor noise = at::cat({sdx::seed_latents(3, 4, 8, 8), sdx::seed_latents(4, 4, 8, 8)});
  const auto given = generate({{"a robot", "", 0}, {"a robot", "", 0}}, few_steps(), noise);
  CHECK(psnr_db(given[1].image, generate({{"a robot", "", 4}}, few_steps())[0].image) >= 50);
  CHECK_THROWS_AS(generate({{"a robot", "", 0}}, few_steps(), noise), sdx::DataError);
}

TEST_CASE("generation: any size divisible by 8, others are refused with the nearest",
          "[generation]") {
  auto options = few_steps();
  options.width_px = 72;
  options.height_px = 40;
  const auto images = generate({{"a robot", "", 3}}, options);
  CHECK(images[0].image.width_px == 72);
  CHECK(images[0].image.height_px == 40);
  CHECK(images[0].latents.sizes() == at::IntArrayRef({1, 4, 5, 9}));
  options.width_px = 130;
  options.height_px = 128;
  try {
    generate({{"a robot", "", 3}}, options);
    FAIL("accepted");
  } catch (const sdx::UsageError& error) {
    CHECK_THAT(error.what(), ContainsSubstring("130x128"));
    CHECK_THAT(error.what(), ContainsSubstring("try 128x128"));
  }
}

TEST_CASE("generation: an embedding for another model is refused before the work", "[generation]") {
  const sdx::Generator generator(tiny_bundle(), {});
  sdx::EmbeddingTable table;
  table.add({"Ada", at::zeros({1, 768}), {}, {}});
  CHECK_NOTHROW(generator.check({{"a robot", "", 3}}, few_steps(), table));
  for (const sdx::ImageRequest& request :
       {sdx::ImageRequest{"<Ada>", "", 3}, sdx::ImageRequest{"a robot", "<Ada>", 3}}) {
    CHECK_THROWS_WITH(generator.check({{"a robot", "", 3}, request}, few_steps(), table),
                      ContainsSubstring("<Ada>: made for SD 1.x"));
  }
}

TEST_CASE("generation: the observer counts every step and may stop the work", "[generation]") {
  const sdx::Generator generator(tiny_bundle(), {});
  std::vector<int> seen;
  const auto ignore = [](std::size_t, const sdx::GeneratedImage&) {};
  generator.generate({{"a", "", 1}, {"b", "", 2}}, few_steps(), {}, ignore,
                     [&](int done, int total) {
                       seen.push_back(done);
                       CHECK(total == 4);
                     });
  CHECK(seen == std::vector<int>{1, 2, 3, 4});
  CHECK_THROWS_AS(generator.generate({{"a", "", 1}}, few_steps(), {}, ignore,
                                     [](int, int) { throw sdx::TryAgainError("stop"); }),
                  sdx::TryAgainError);
}
