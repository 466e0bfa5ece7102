#include "sdx/generation/generator.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/zeros.h>

#include <cmath>

#include "sdx/generation/noise.h"
#include "sdx/image/convert.h"
#include "sdx/model/vae.h"
#include "sdx/util/error.h"
#include "support/tiny_bundle.h"

#include "support/catch.h"

using Catch::Matchers::ContainsSubstring;
using sdx::ImageRequest;
using sdx::test::tiny_bundle;

namespace {

ImageRequest request(const std::string& prompt, std::uint64_t seed,
                     const std::string& negative = "") {
  ImageRequest result;
  result.prompt = prompt;
  result.negative_prompt = negative;
  result.seed = seed;
  result.settings.sampler.steps = 4;
  return result;
}

std::vector<sdx::GeneratedImage> generate(const std::vector<ImageRequest>& requests,
                                          const sdx::BatchOptions& batches = {},
                                          const std::optional<at::Tensor>& latents = std::nullopt) {
  static const sdx::Generator generator(tiny_bundle(), {});
  std::vector<sdx::GeneratedImage> images;
  generator.generate(
      requests, {}, batches,
      [&](std::size_t, const sdx::GeneratedImage& image) { images.push_back(image); }, {}, latents);
  return images;
}

std::vector<std::uint8_t> pixels(const ImageRequest& of) { return generate({of})[0].image.rgb; }

double psnr_db(const sdx::Image& a, const sdx::Image& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.rgb.size(); ++i) {
    const double difference = static_cast<double>(a.rgb[i]) - static_cast<double>(b.rgb[i]);
    sum += difference * difference;
  }
  return sum == 0 ? 999.0
                  : 10 * std::log10(255.0 * 255.0 * static_cast<double>(a.rgb.size()) / sum);
}

std::string refusal(const ImageRequest& of) {
  try {
    generate({of});
  } catch (const sdx::UsageError& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("generation: the same request gives the same picture, another seed another",
          "[generation]") {
  const auto a = generate({request("a robot", 3)});
  CHECK(a[0].image.width_px == 64);
  CHECK(a[0].image.rgb == pixels(request("a robot", 3)));
  CHECK(a[0].image.rgb != pixels(request("a robot", 4)));
}

TEST_CASE("generation: a picture in bfloat16 is nearly the one in float32, and says so",
          "[generation]") {
  const sdx::Generator generator(tiny_bundle(), {at::kCPU, at::kBFloat16});
  const auto exact = generate({request("a robot", 3)});
  CHECK(exact[0].generation_info.dtype == at::kFloat);
  CHECK(exact[0].generation_info.piece_px == 0);
  generator.generate({request("a robot", 3)}, {}, {},
                     [&](std::size_t, const sdx::GeneratedImage& image) {
                       CHECK(image.generation_info.dtype == at::kBFloat16);
                       CHECK(psnr_db(image.image, exact[0].image) > 30);
                       CHECK(image.image.rgb != exact[0].image.rgb);
                     });
}

TEST_CASE("generation: a picture made in a batch is the one made alone", "[generation]") {
  std::vector<ImageRequest> requests;
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    requests.push_back(request("a robot in the snow", seed));
    requests.back().settings.sampler.sampler = sdx::SamplerKind::kEulerAncestral;
  }
  const auto together = generate(requests);
  REQUIRE(together.size() == 5);
  CHECK(together[2].generation_info.place.size == 5);
  CHECK(together[2].generation_info.place.position == 2);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    CHECK(psnr_db(together[i].image, generate({requests[i]})[0].image) >= 50);
    const auto again = generate({requests[i]}, {0, together[i].generation_info.place});
    REQUIRE(again.size() == 1);
    CHECK(again[0].image.rgb == together[i].image.rgb);
  }
}

TEST_CASE("generation: pictures of different settings come in their order", "[generation]") {
  std::vector<ImageRequest> requests = {request("a robot", 1), request("snow", 2),
                                        request("a hat", 3), request("a man AND snow", 4)};
  requests[1].settings.width_px = 72;
  requests[1].settings.height_px = 64;
  const auto images = generate(requests, {2, std::nullopt});
  REQUIRE(images.size() == 4);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    CHECK(images[i].generation_info.place.size == 1);
    CHECK(images[i].image.rgb == pixels(requests[i]));
  }
}

TEST_CASE("generation: prompt, negative prompt and guidance each matter", "[generation]") {
  const auto base = pixels(request("a robot", 3));
  CHECK(pixels(request("snow", 3)) != base);
  CHECK(pixels(request("a robot", 3, "hat")) != base);
  ImageRequest unguided = request("a robot", 3);
  unguided.settings.guidance_scale = 1;
  const auto plain = pixels(unguided);
  CHECK(plain != base);
  unguided.negative_prompt = "hat";
  CHECK(pixels(unguided) == plain);
}

TEST_CASE("generation: the prompt's grammar reaches the picture", "[generation]") {
  const auto robot = pixels(request("robot", 3));
  const auto snow = pixels(request("snow", 3));
  CHECK(pixels(request("(robot:1.3)", 3)) != robot);
  CHECK(pixels(request("[robot:snow:0]", 3)) == snow);
  CHECK(pixels(request("[robot:snow:1.0]", 3)) == robot);
  const auto edited = pixels(request("[robot:snow:2]", 3));
  CHECK(edited != robot);
  CHECK(edited != snow);
  CHECK(pixels(request("[robot|snow]", 3)) != robot);
  ImageRequest plain = request("(robot:1.3)", 3);
  plain.settings.grammar = sdx::Grammar::kPlain;
  CHECK(pixels(plain) != pixels(request("(robot:1.3)", 3)));
  ImageRequest skipped = request("robot", 3);
  skipped.settings.clip_skip = 2;
  CHECK(pixels(skipped) != robot);
}

TEST_CASE("generation: AND adds directions", "[generation]") {
  const at::Tensor robot = generate({request("robot", 3)})[0].latents;
  const auto distance = [&](const std::string& prompt) {
    return sdx::test::max_difference(generate({request(prompt, 3)})[0].latents, robot);
  };
  CHECK(distance("robot AND snow :0") < 1e-4);
  CHECK(distance("robot:.5 AND robot:.5") < 1e-4);
  CHECK(distance("robot AND snow") > 1e-3);
}

TEST_CASE("generation: prompts of different lengths share no context", "[generation]") {
  std::string text = "robot";
  for (int i = 0; i < 90; ++i) text += " snow";
  const auto images = generate({request(text, 1, "hat"), request("robot", 1, "hat")});
  CHECK(images[0].generation_info.place.size == 1);
  CHECK(images[1].image.rgb == pixels(request("robot", 1, "hat")));
}

TEST_CASE("generation: rescaled guidance", "[generation]") {
  ImageRequest rescaled = request("a robot", 3);
  rescaled.settings.guidance_scale = 15;
  const auto plain = pixels(rescaled);
  rescaled.settings.guidance_rescale = 0.7;
  CHECK(pixels(rescaled) != plain);
}

TEST_CASE("generation: an approximated picture is one in any batch, and again", "[generation]") {
  std::vector<ImageRequest> requests = {
      request("a robot", 1, "hat"), request("snow", 2, "hat"), request("[robot:snow:2]", 3, "hat"),
      request("[hat:snow:2]", 4, "red"), request("a man AND snow:-0.5", 5, "hat")};
  for (ImageRequest& of : requests) {
    of.settings.sampler.steps = 6;
    of.settings.guidance_end = 0.5;
    of.settings.feature_interval = 3;
  }
  const auto together = generate(requests);
  REQUIRE(together.size() == 5);
  const std::vector<int> batch_sizes = {2, 2, 2, 2, 1};  // the same rows in the same steps
  for (std::size_t i = 0; i < requests.size(); ++i) {
    INFO(requests[i].prompt);
    CHECK(together[i].generation_info.place.size == batch_sizes[i]);
    CHECK(psnr_db(together[i].image, generate({requests[i]})[0].image) >= 50);
    CHECK(generate({requests[i]}, {0, together[i].generation_info.place})[0].image.rgb ==
          together[i].image.rgb);
    ImageRequest exact = requests[i];
    exact.settings.guidance_end = 1;
    CHECK(pixels(exact) != together[i].image.rgb);
    exact = requests[i];
    exact.settings.feature_interval = 1;
    CHECK(pixels(exact) != together[i].image.rgb);
  }
}

TEST_CASE("generation: a variation lies between two seeds", "[generation]") {
  ImageRequest varied = request("a robot", 3);
  varied.variation_seed = 4;
  CHECK(pixels(varied) == pixels(request("a robot", 3)));
  varied.variation_strength = 1;
  CHECK(psnr_db(generate({varied})[0].image, generate({request("a robot", 4)})[0].image) >= 50);
  varied.variation_strength = 0.1;
  const sdx::Image near = generate({varied})[0].image;
  CHECK(psnr_db(near, generate({request("a robot", 3)})[0].image) >
        psnr_db(near, generate({request("a robot", 4)})[0].image));
}

TEST_CASE("generation: given latents take the place of the seed's noise", "[generation]") {
  const at::Tensor noise = at::cat({sdx::seed_latents(3, 4, 8, 8), sdx::seed_latents(4, 4, 8, 8)});
  const auto given = generate({request("a robot", 0), request("a robot", 0)}, {}, noise);
  CHECK(psnr_db(given[1].image, generate({request("a robot", 4)})[0].image) >= 50);
  CHECK_THROWS_AS(generate({request("a robot", 0)}, {}, noise), sdx::DataError);
}

TEST_CASE("generation: any size divisible by 8, others are refused with the nearest",
          "[generation]") {
  ImageRequest sized = request("a robot", 3);
  sized.settings.width_px = 72;
  sized.settings.height_px = 40;
  const auto images = generate({sized});
  CHECK(images[0].image.width_px == 72);
  CHECK(images[0].image.height_px == 40);
  CHECK(images[0].latents.sizes() == at::IntArrayRef({1, 4, 5, 9}));
  sized.settings.width_px = 130;
  sized.settings.height_px = 128;
  CHECK_THAT(refusal(sized), ContainsSubstring("130x128") && ContainsSubstring("try 128x128"));
}

TEST_CASE("generation: a start image is kept the more, the less strength", "[generation]") {
  auto start = std::make_shared<sdx::StartImage>();
  start->image = generate({request("a hat", 9)})[0].image;
  ImageRequest from = request("a robot", 3);
  from.settings.sampler.steps = 10;
  from.settings.start = start;
  const sdx::VaeEncoder encoder(tiny_bundle(), {});
  const at::Tensor kept = encoder.encode(sdx::to_tensor(start->image)).mean;
  const auto distance = [&](double strength) {
    from.settings.strength = strength;
    return (generate({from})[0].latents - kept).abs().mean().item<double>();
  };
  const double little = distance(0.1);
  const double half = distance(0.5);
  CHECK(little < half);
  CHECK(half < distance(1));
}

TEST_CASE("generation: what a mask keeps, stays to the last pixel", "[generation]") {
  auto start = std::make_shared<sdx::StartImage>();
  start->image = generate({request("a hat", 9)})[0].image;
  start->mask = sdx::Image(64, 64);
  for (int y = 0; y < 64; ++y) {
    for (int x = 32; x < 64; ++x) {
      for (int c = 0; c < 3; ++c) {
        start->mask->rgb[static_cast<std::size_t>(3 * (64 * y + x) + c)] = 255;
      }
    }
  }
  ImageRequest from = request("a robot", 3);
  from.settings.start = start;
  from.settings.strength = 1;
  const sdx::Image made = generate({from})[0].image;
  int changed_left = 0;
  int changed_right = 0;
  for (int y = 0; y < 64; ++y) {
    for (int x = 0; x < 64; ++x) {
      const auto at = static_cast<std::size_t>(3 * (64 * y + x));
      const bool differs = made.rgb[at] != start->image.rgb[at];
      if (x < 12) changed_left += differs ? 1 : 0;
      if (x >= 44) changed_right += differs ? 1 : 0;
    }
  }
  CHECK(changed_left == 0);
  CHECK(changed_right > 100);
  from.settings.hires.scale = 2;
  CHECK_THAT(refusal(from), ContainsSubstring("`mask` and `hires`"));
}

TEST_CASE("generation: a second pass makes the picture larger and keeps it", "[generation]") {
  ImageRequest larger = request("a robot", 3);
  larger.settings.hires = {2, 0.3, 4};
  const auto made = generate({larger});
  CHECK(made[0].image.width_px == 128);
  CHECK(made[0].latents.sizes() == at::IntArrayRef({1, 4, 16, 16}));
  larger.settings.hires.scale = 1.3;
  CHECK_THAT(refusal(larger), ContainsSubstring("`hires` gives 83x83"));
}

TEST_CASE("generation: the edges of a tile fit", "[generation]") {
  const auto seam = [](const sdx::Image& image) {
    double sum = 0;
    for (int y = 0; y < image.height_px; ++y) {
      for (int c = 0; c < 3; ++c) {
        const auto row = static_cast<std::size_t>(3 * image.width_px * y + c);
        const auto last = row + static_cast<std::size_t>(3 * (image.width_px - 1));
        sum += std::abs(image.rgb[row] - image.rgb[last]);
      }
    }
    return sum;
  };
  double plain = 0;
  double tiled = 0;
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    ImageRequest tile = request("a robot", seed);
    plain += seam(generate({tile})[0].image);
    tile.settings.tile = true;
    tiled += seam(generate({tile})[0].image);
  }
  CHECK(tiled < plain);
}

TEST_CASE("generation: settings that the model cannot have are refused", "[generation]") {
  ImageRequest wrong = request("a robot", 3);
  wrong.settings.clip_skip = 9;
  CHECK_THAT(refusal(wrong), ContainsSubstring("`clip-skip`: expected 1 to 3, found \"9\""));
  wrong = request("[robot:<Nobody>:2]", 3);
  CHECK_THAT(refusal(wrong), ContainsSubstring("<Nobody> is not known"));
  wrong = request("a robot", 3, "<Nobody>");
  CHECK_THAT(refusal(wrong), ContainsSubstring("<Nobody> is not known"));
}

TEST_CASE("generation: AND in a negative prompt is text to the check too", "[generation]") {
  const sdx::Generator generator(tiny_bundle(), {});
  // One part: the edit is over before the first step, so nobody is asked for.
  CHECK_NOTHROW(generator.check({request("a robot", 1, "[<Nobody>:snow AND hat:0]")}, {}));
  // Two parts, of which the first has an open bracket.
  CHECK_THROWS_AS(generator.check({request("[<Nobody>:snow AND hat:0]", 1)}, {}), sdx::UsageError);
}

TEST_CASE("generation: an embedding that is still to be made can be checked", "[generation]") {
  const sdx::Generator generator(tiny_bundle(), {});
  const sdx::EmbeddingTable table;
  CHECK_NOTHROW(generator.check({request("<Ada>", 1)}, sdx::EmbeddingSizes(table, {{"Ada", 2}})));
  CHECK_THROWS_AS(generator.check({request("<Ada>", 1)}, sdx::EmbeddingSizes(table, {{"Ada", 76}})),
                  sdx::DataError);
}

TEST_CASE("generation: an embedding for another model is refused before the work", "[generation]") {
  const sdx::Generator generator(tiny_bundle(), {});
  sdx::EmbeddingTable table;
  table.add({"Ada", at::zeros({1, 1024}), {}, {}});
  CHECK_THROWS_AS(generator.check({request("<Ada>", 1)}, table), sdx::DataError);
  CHECK_THROWS_AS(generator.check({request("a [robot:<Ada>:3]", 1)}, table), sdx::DataError);
  CHECK_NOTHROW(generator.check({request("a robot", 1)}, table));
}

TEST_CASE("generation: the observer counts every step and may stop the work", "[generation]") {
  const sdx::Generator generator(tiny_bundle(), {});
  std::vector<int> seen;
  const auto ignore = [](std::size_t, const sdx::GeneratedImage&) {};
  generator.generate({request("a", 1), request("b", 2)}, {}, {}, ignore, [&](int done, int total) {
    seen.push_back(done);
    CHECK(total == 8);
  });
  CHECK(seen == std::vector<int>{2, 4, 6, 8});
  CHECK_THROWS_AS(generator.generate({request("a", 1)}, {}, {}, ignore,
                                     [](int, int) { throw sdx::TryAgainError("stop"); }),
                  sdx::TryAgainError);
}

TEST_CASE("generation: what overflows in half precision is computed again in single",
          "[generation]") {
  // What the UNet sees has values beyond the 65504 that half precision holds.
  ImageRequest strong = request("robot", 3);
  strong.settings.guidance_scale = 1e6;
  const ImageRequest usual = request("snow", 4);
  ImageRequest enlarged = strong;
  enlarged.settings.hires.scale = 1.5;
  ImageRequest begun = strong;
  begun.settings.guidance_scale = 1e12;  // fewer steps are left
  begun.settings.start = std::make_shared<sdx::StartImage>(sdx::StartImage{sdx::Image(64, 64), {}});
  // Few processors compute all of a model in float16; a UNet that learns is enough here.
  const sdx::ComputeTarget in_half{c10::DeviceType::CPU, at::kBFloat16};
  const auto tokenizer = tiny_bundle().load_tokenizer();
  const sdx::TextEncoders text_encoders(tiny_bundle(), c10::DeviceType::CPU);
  const sdx::UNet unet(tiny_bundle(), {c10::DeviceType::CPU, at::kHalf});
  const sdx::Generator half(tiny_bundle(), in_half, *tokenizer, text_encoders, unet);
  const auto make = [&half](const std::vector<ImageRequest>& requests) {
    std::vector<sdx::GeneratedImage> images;
    int most_done = 0;
    half.generate(
        requests, {}, {},
        [&](std::size_t, const sdx::GeneratedImage& image) { images.push_back(image); },
        [&](int done, int total) {
          most_done = std::max(most_done, done);
          CHECK(done <= total);
        });
    CHECK(most_done > 0);
    return images;
  };
  for (const ImageRequest& one : {strong, enlarged, begun}) {
    INFO(one.settings.hires.scale);
    const sdx::GeneratedImage again = make({one}).at(0);
    CHECK(again.generation_info.dtype == at::kFloat);
    CHECK(again.image.rgb == pixels(one));
  }
  const auto both = make({usual, strong});
  CHECK(both[0].generation_info.dtype == at::kBFloat16);
  CHECK(both[0].image.rgb == make({usual})[0].image.rgb);
  CHECK(both[1].generation_info.dtype == at::kFloat);
}

TEST_CASE("generation: what is not finite is refused, what is before it is given", "[generation]") {
  ImageRequest absurd = request("(robot:25) AND snow :2", 3);
  absurd.settings.guidance_scale = 1e30;
  std::size_t given = 0;
  const sdx::Generator generator(tiny_bundle(), {});
  try {
    generator.generate({request("snow", 1), absurd}, {}, {},
                       [&](std::size_t, const sdx::GeneratedImage&) { ++given; });
    FAIL("made");
  } catch (const sdx::NotFiniteError& error) {
    CHECK_THAT(
        error.what(),
        ContainsSubstring("seed 3: the image's values are not finite") &&
            ContainsSubstring("lower `cfg`, which is 1e+30, lower the weight 25 of \"robot\""));
  }
  CHECK(given == 1);
  const at::Tensor latents = at::zeros({1, 4, 8, 8});
  CHECK(generate({request("snow", 1)}, {}, latents).size() == 1);
  CHECK_THROWS_AS(generate({request("snow", 1)}, {}, latents / latents), sdx::DataError);
}

TEST_CASE("generation: what a consumer throws arrives", "[generation]") {
  const sdx::Generator generator(tiny_bundle(), {});
  CHECK_THROWS_AS(generator.generate(
                      {request("a", 1), request("b", 2)}, {}, {1, std::nullopt},
                      [](std::size_t, const sdx::GeneratedImage&) { throw sdx::IoError("full"); }),
                  sdx::IoError);
}
