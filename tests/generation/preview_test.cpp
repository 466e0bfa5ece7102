#include "sdx/generation/preview.h"

#include <ATen/ops/adaptive_avg_pool2d.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <vector>

#include "sdx/embedding/embedding_table.h"
#include "sdx/generation/generator.h"
#include "sdx/image/convert.h"
#include "sdx/image/transform.h"
#include "support/mini_bundle.h"
#include "support/tiny_bundle.h"

#include "support/catch.h"

using namespace sdx;
using sdx::test::mini_bundle;
using sdx::test::tiny_bundle;

namespace {

const ComputeTarget kCpu{c10::Device(c10::DeviceType::CPU), at::kFloat};

/// How near two pictures are, in dB.
double measure_psnr(const Image& a, const Image& b) {
  const at::Tensor difference = (to_tensor(a) - to_tensor(b)) / 2;
  return -10 * std::log10(difference.square().mean().item<double>());
}

}  // namespace

TEST_CASE("preview: colours of the published autoencoders", "[generation]") {
  BundleInfo info;
  const auto sd1 = find_latent_colours(info);
  REQUIRE(sd1);
  const at::Tensor one = at::zeros({1, 4, 1, 1});
  one[0][3] = 1;
  const at::Tensor blue = sd1->colour(one).flatten();
  CHECK(blue.allclose(at::tensor({-0.184F, -0.271F, -0.473F})));
  info.family = ModelFamily::kSdxl;
  CHECK(!find_latent_colours(info));  // with the scale of another one
  info.latent_scale = 0.13025;
  const auto sdxl = find_latent_colours(info);
  REQUIRE(sdxl);
  CHECK(sdxl->colour(at::zeros({1, 4, 1, 1}))
            .flatten()
            .allclose(at::tensor({150.F, 140.F, 130.F}) / 127.5 - 1));
  CHECK(sdxl->colour(one).flatten().allclose(at::tensor({80.F, 90.F, 95.F}) / 127.5 - 1));
  CHECK(!find_latent_colours(tiny_bundle().info()));
  CHECK(!find_latent_colours(mini_bundle().info()));
}

TEST_CASE("preview: colours are fitted to the autoencoder of any other model", "[generation]") {
  const Bundle bundle = mini_bundle();
  Generator generator(bundle, kCpu);
  ImageRequest request;
  request.prompt = "a woman with a red hat";
  request.seed = 3;
  request.settings.sampler.steps = 6;
  std::vector<Preview> previews;
  generator.show_previews({2, ""}, [&](const Preview& preview) { previews.push_back(preview); });
  Image image;
  generator.generate({request}, {}, {},
                     [&](std::size_t, const GeneratedImage& made) { image = made.image; });
  REQUIRE(previews.size() == 2);
  CHECK(previews[0].step == 2);
  CHECK(previews[1].step == 4);
  CHECK(previews[1].steps == 6);
  CHECK(previews[1].image.width_px == image.width_px);
  CHECK(previews[1].image.height_px == image.height_px);
  // The last preview shows the picture, blurred: not just its mean colour.
  const int side = image.width_px / bundle.info().vae_factor;
  const auto small = [&](const Image& of) { return resize(of, side, side); };
  const Image mean = resize(resize(image, 1, 1), side, side);
  const double near = measure_psnr(small(previews[1].image), small(image));
  CHECK(near > measure_psnr(mean, small(image)) + 3);
  CHECK(near > 15);
}

TEST_CASE("preview: pictures are the same with and without, bit for bit", "[generation]") {
  std::vector<ImageRequest> requests(3);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    requests[i].prompt = "a robot";
    requests[i].seed = i;
    requests[i].settings.sampler.sampler = SamplerKind::kDpmppSde;  // two evaluations a step
    requests[i].settings.sampler.steps = 4;
  }
  const auto make = [&](int every) {
    Generator generator(tiny_bundle(), kCpu);
    std::vector<int> widths;
    generator.show_previews(
        {every, ""}, [&](const Preview& preview) { widths.push_back(preview.image.width_px); });
    std::vector<std::vector<std::uint8_t>> pixels;
    generator.generate(
        requests, {}, {.size = 2, .replay = {}},
        [&](std::size_t, const GeneratedImage& made) { pixels.push_back(made.image.rgb); });
    // The batch of two side by side, then the one that is left.
    if (every > 0) CHECK(widths == std::vector<int>{128, 128, 128, 64, 64, 64});
    return pixels;
  };
  const bool are_same = make(1) == make(0);  // Catch would print every pixel
  CHECK(are_same);
}
