#include "generation/start_image.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/ge.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/upsample_nearest2d.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <opencv2/imgproc.hpp>

#include "sdx/image/convert.h"
#include "sdx/image/transform.h"

namespace sdx {

namespace {

constexpr double kMaskBlurPx = 4;  ///< standard deviation; AUTOMATIC1111's default

/// The largest part in the middle that has the shape of width × height.
Image cropped_to_shape(const Image& image, int width_px, int height_px) {
  const double scale = std::min(image.width_px / static_cast<double>(width_px),
                                image.height_px / static_cast<double>(height_px));
  const int width = std::clamp(static_cast<int>(scale * width_px + 0.5), 1, image.width_px);
  const int height = std::clamp(static_cast<int>(scale * height_px + 0.5), 1, image.height_px);
  return crop(image, {(image.width_px - width) / 2, (image.height_px - height) / 2, width, height});
}

Image fitted(const Image& image, int width_px, int height_px) {
  return resize(cropped_to_shape(image, width_px, height_px), width_px, height_px);
}

Image blurred(const Image& image) {
  Image result = image;
  const cv::Mat source(image.height_px, image.width_px, CV_8UC3,
                       const_cast<std::uint8_t*>(image.rgb.data()));
  cv::Mat target(result.height_px, result.width_px, CV_8UC3, result.rgb.data());
  cv::GaussianBlur(source, target, {0, 0}, kMaskBlurPx);
  return result;
}

}  // namespace

PreparedStart prepare_start(const StartImage& start, int width_px, int height_px, int factor,
                            const VaeEncoder& encoder) {
  PreparedStart prepared;
  prepared.image = fitted(start.image, width_px, height_px);
  prepared.latents = encoder.encode(to_tensor(prepared.image)).mean;
  if (start.mask) {
    prepared.mask = blurred(fitted(*start.mask, width_px, height_px));
    const at::Tensor brightness = (to_tensor(*prepared.mask).mean(1, true) + 1) / 2;
    prepared.latent_mask =
        brightness.unfold(2, factor, factor).unfold(3, factor, factor).mean({4, 5});
    prepared.latent_mask = prepared.latent_mask.to(prepared.latents.device());
  }
  return prepared;
}

at::Tensor encode_masked(const StartImage* start, int width_px, int height_px, int factor,
                         const VaeEncoder& encoder) {
  at::Tensor anew = at::ones({1, 1, height_px, width_px});
  at::Tensor known = at::zeros({1, 3, height_px, width_px});
  if (start != nullptr && start->mask) {
    // diffusers' inpainting pipelines: white from the middle of the range on.
    const at::Tensor brightness =
        to_tensor(fitted(*start->mask, width_px, height_px)).mean(1, true);
    anew = at::ge(brightness, 0).to(at::kFloat);
    known = to_tensor(fitted(start->image, width_px, height_px)) * (1 - anew);
  }
  const at::Tensor latents = encoder.encode(known).mean;
  const at::Tensor mask =
      at::upsample_nearest2d(anew, {height_px / factor, width_px / factor}).to(latents.device());
  return at::cat({mask, latents}, 1);
}

Image pasted(const Image& made, const PreparedStart& start) {
  if (!start.mask) return made;
  Image result = made;
  for (std::size_t i = 0; i < result.rgb.size(); ++i) {
    const int share = start.mask->rgb[i];
    result.rgb[i] = static_cast<std::uint8_t>(
        (share * made.rgb[i] + (255 - share) * start.image.rgb[i] + 127) / 255);
  }
  return result;
}

}  // namespace sdx
