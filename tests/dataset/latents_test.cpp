#include "sdx/dataset/latents.h"

#include <ATen/ops/equal.h>
#include <ATen/ops/ones.h>

#include "sdx/image/convert.h"
#include "sdx/util/file.h"
#include "support/image_files.h"
#include "support/temp_folder.h"
#include "support/tiny_bundle.h"

#include "support/catch.h"

using namespace sdx::test;

namespace fs = std::filesystem;

namespace {

sdx::Portrait make_portrait(sdx::Image image) {
  sdx::Portrait portrait;
  portrait.width_px = image.width_px;
  portrait.height_px = image.height_px;
  portrait.area = {0, 0, image.width_px, image.height_px};
  portrait.image = std::move(image);
  return portrait;
}

/// Two portraits, and between them one that is not used.
std::vector<sdx::Portrait> portraits() {
  sdx::Portrait unused;
  unused.problem = "truncated";
  return {make_portrait(busy_image(64, 64)), unused, make_portrait(quartered_image(64, 64))};
}

sdx::PortraitLatents encode(const std::vector<sdx::Portrait>& images,
                            const sdx::LatentOptions& options, const fs::path& cache = {}) {
  return sdx::encode_portraits(images, tiny_bundle(), {}, options, cache);
}

}  // namespace

TEST_CASE("dataset: each used portrait is encoded, and its mirror image if wanted", "[dataset]") {
  const auto plain = encode(portraits(), {});
  CHECK(plain.encoded == 2);
  CHECK(plain.distribution.mean.sizes() == at::IntArrayRef({2, 4, 8, 8}));
  CHECK_FALSE(plain.mask.defined());
  const auto both = encode(portraits(), {.mirror = true});
  CHECK(both.distribution.deviation.sizes() == at::IntArrayRef({4, 4, 8, 8}));
  CHECK(max_difference(both.distribution.mean[2], plain.distribution.mean[1]) == 0);
  const sdx::VaeEncoder encoder(tiny_bundle(), {});
  const auto turned = encoder.encode(sdx::to_tensor(busy_image(64, 64)).flip({3}));
  CHECK(max_difference(both.distribution.mean[1], turned.mean[0]) == 0);
}

TEST_CASE("dataset: the cache holds what was encoded, and only what is still wanted", "[dataset]") {
  const TempFolder folder;
  const fs::path cache = folder.path() / "latents.safetensors";
  const auto first = encode(portraits(), {.mirror = true}, cache);
  CHECK(first.encoded == 4);
  const std::string bytes = read_bytes(cache);
  const auto second = encode(portraits(), {.mirror = true}, cache);
  CHECK(second.encoded == 0);
  CHECK(second.cache_problem.empty());
  CHECK(at::equal(second.distribution.mean, first.distribution.mean));
  CHECK(at::equal(second.distribution.deviation, first.distribution.deviation));
  CHECK(read_bytes(cache) == bytes);

  auto changed = portraits();
  changed[0].image.rgb[7] ^= 1U;
  CHECK(encode(changed, {}, cache).encoded == 1);
  CHECK(sdx::map_safetensors(cache).tensors.size() == 4);
  changed.pop_back();
  CHECK(encode(changed, {}, cache).encoded == 0);
  CHECK(sdx::map_safetensors(cache).tensors.size() == 2);
}

TEST_CASE("dataset: latents of another dtype are not taken", "[dataset]") {
  const TempFolder folder;
  const fs::path cache = folder.path() / "latents.safetensors";
  encode(portraits(), {}, cache);
  sdx::ComputeTarget other;
  other.dtype = c10::ScalarType::BFloat16;
  CHECK(sdx::encode_portraits(portraits(), tiny_bundle(), other, {}, cache).encoded == 2);
}

TEST_CASE("dataset: a damaged cache is none", "[dataset]") {
  const TempFolder folder;
  const fs::path cache = folder.path() / "latents.safetensors";
  const auto good = encode(portraits(), {}, cache);
  const std::string bytes = read_bytes(cache);
  std::string flipped = bytes;
  flipped[flipped.size() - 5] = static_cast<char>(flipped[flipped.size() - 5] ^ 1);
  for (const std::string& damaged :
       {flipped, bytes.substr(0, bytes.size() / 2), std::string("x"), std::string()}) {
    folder.file("latents.safetensors", damaged);
    const auto again = encode(portraits(), {}, cache);
    CHECK(again.encoded == 2);
    CHECK(again.cache_problem.find(cache.string()) != std::string::npos);
    CHECK(at::equal(again.distribution.mean, good.distribution.mean));
    CHECK(read_bytes(cache) == bytes);
  }
}

TEST_CASE("dataset: the mask counts the face and hair, not the background", "[dataset]") {
  sdx::Portrait portrait = make_portrait(busy_image(256, 256));
  CHECK(at::equal(sdx::face_mask(portrait, 8), at::ones({1, 1, 32, 32})));
  // A face left of the middle, in a picture twice as large whose left half was taken.
  portrait.width_px = 1024;
  portrait.height_px = 512;
  portrait.area = {0, 0, 512, 512};
  portrait.face = sdx::Face{{120, 200, 80, 100}, 1, {}};
  const at::Tensor mask = sdx::face_mask(portrait, 8).squeeze();
  const auto at_px = [&mask](int x, int y) { return mask[y / 16][x / 16].item<double>(); };
  CHECK(at_px(160, 250) == 1);
  CHECK(at_px(160, 165) == 1);      // hair
  CHECK(at_px(460, 250) < 0.11);    // background
  CHECK(at_px(160, 490) < 0.11);    // shoulders
  CHECK(at_px(160 + 95, 235) < 1);  // the fall is smooth
  CHECK(at_px(160 + 95, 235) > 0.11);
  CHECK(mask.min().item<double>() > 0.09);

  const auto latents = encode({portrait}, {.mirror = true, .mask_face = true});
  CHECK(latents.mask.sizes() == at::IntArrayRef({2, 1, 32, 32}));
  CHECK(at::equal(latents.mask[0], latents.mask[1].flip({2})));
  CHECK_FALSE(at::equal(latents.mask[0], latents.mask[1]));
}
