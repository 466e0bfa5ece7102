// What SDXL is told of where a portrait's square lies in its picture.

#include <ATen/ops/equal.h>
#include <ATen/ops/tensor.h>

#include "sdx/dataset/latents.h"
#include "support/temp_folder.h"
#include "support/tiny_bundle.h"

#include "support/catch.h"

namespace {

/// A square of `side_px` pixels, of `area` in a picture of this size.
sdx::Portrait cut_out(int width_px, int height_px, const sdx::Rect& area, int side_px) {
  sdx::Portrait portrait;
  portrait.width_px = width_px;
  portrait.height_px = height_px;
  portrait.area = area;
  portrait.image = sdx::Image(side_px, side_px);
  return portrait;
}

at::Tensor ids(const sdx::Portrait& portrait, bool is_mirrored = false) {
  return sdx::make_size_ids(describe_place(portrait, is_mirrored), 1).squeeze(0);
}

at::Tensor row(std::vector<float> values) { return at::tensor(values); }

}  // namespace

TEST_CASE(
    "dataset: SDXL is told the picture's size before the crop, and what was cut off at the "
    "square's scale",
    "[dataset][sdxl]") {
  // 1500 × 1000, the square around a face scaled from 500 to 1024 pixels.
  const sdx::Portrait face = cut_out(1500, 1000, {800, 100, 500, 500}, 1024);
  CHECK(at::equal(ids(face), row({1000, 1500, 205, 1638, 1024, 1024})));
  CHECK(at::equal(ids(face, /*is_mirrored=*/true), row({1000, 1500, 205, 410, 1024, 1024})));
  // The middle, as diffusers has it: resized to 1536 × 1024, cut at 256.
  const sdx::Portrait middle = cut_out(1500, 1000, {250, 0, 1000, 1000}, 1024);
  CHECK(at::equal(ids(middle), row({1000, 1500, 0, 256, 1024, 1024})));
  CHECK(at::equal(ids(middle, true), ids(middle)));
  const sdx::Portrait tall = cut_out(600, 900, {0, 150, 600, 600}, 768);
  CHECK(at::equal(ids(tall), row({900, 600, 192, 0, 768, 768})));
  const sdx::Portrait whole = cut_out(2048, 2048, {0, 0, 2048, 2048}, 1024);
  CHECK(at::equal(ids(whole), row({2048, 2048, 0, 0, 1024, 1024})));
}

TEST_CASE("dataset: nothing is cut off where a square reaches beyond its picture",
          "[dataset][sdxl]") {
  const sdx::Portrait wide = cut_out(400, 300, {0, -50, 400, 400}, 512);
  CHECK(at::equal(ids(wide), row({300, 400, 0, 0, 512, 512})));
  const sdx::Portrait tall = cut_out(300, 400, {-50, 0, 400, 400}, 512);
  CHECK(at::equal(ids(tall, true), row({400, 300, 0, 0, 512, 512})));
}

TEST_CASE("dataset: sizes are exact in 32 bits, where 16 would round them", "[dataset][sdxl]") {
  const at::Tensor odd = ids(cut_out(1333, 2001, {0, 0, 1333, 1333}, 1024));
  CHECK(odd.scalar_type() == at::kFloat);
  CHECK(odd[1].item<float>() == 1333);
  CHECK(odd[0].item<float>() == 2001);
}

TEST_CASE("dataset: size ids come with the latents, row for row, where the model takes them",
          "[dataset][sdxl]") {
  const std::vector<sdx::Portrait> portraits = {cut_out(128, 64, {64, 0, 64, 64}, 64),
                                                cut_out(64, 96, {0, 16, 64, 64}, 64)};
  CHECK_FALSE(
      sdx::encode_portraits(portraits, sdx::test::tiny_bundle(), {}, {}).size_ids.defined());
  const sdx::test::TempFolder folder;
  std::filesystem::copy(sdx::test::tiny_bundle().folder(), folder.path() / "model",
                        std::filesystem::copy_options::recursive);
  sdx::BundleInfo info = sdx::test::tiny_bundle().info();
  info.size_ids = true;
  sdx::write_bundle_info(folder.path() / "model", info);
  const sdx::Bundle bundle = sdx::Bundle::open(folder.path() / "model");
  const sdx::PortraitLatents latents =
      sdx::encode_portraits(portraits, bundle, {}, {.mirror = true});
  REQUIRE(latents.size_ids.sizes() == at::IntArrayRef({4, 6}));
  CHECK(at::equal(latents.size_ids[0], row({64, 128, 0, 64, 64, 64})));
  CHECK(at::equal(latents.size_ids[1], row({64, 128, 0, 0, 64, 64})));
  CHECK(at::equal(latents.size_ids[2], row({96, 64, 16, 0, 64, 64})));
  CHECK(at::equal(latents.size_ids[3], row({96, 64, 16, 0, 64, 64})));
}
