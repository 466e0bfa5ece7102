#include "sdx/model/upscaler.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/leaky_relu.h>
#include <ATen/ops/pixel_shuffle.h>
#include <ATen/ops/pixel_unshuffle.h>
#include <ATen/ops/prelu.h>
#include <ATen/ops/replication_pad2d.h>
#include <ATen/ops/upsample_nearest2d.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <system_error>
#include <utility>
#include <vector>

#include "model/upscaler_weights.h"
#include "sdx/device/device.h"
#include "sdx/model/model_folders.h"
#include "sdx/util/error.h"
#include "sdx/util/text.h"
#include "sdx/util/units.h"

namespace sdx {

namespace fs = std::filesystem;

namespace {

/// A part of a network that is computed tile by tile.
struct Stage {
  int reach_px = 0;  ///< how far its filters look beyond a pixel
  int scale = 1;     ///< pixels of its output for one of its input
  std::function<at::Tensor(const std::vector<at::Tensor>& maps)> run;
};

/// Takes a tile of a stage's output, and where it belongs.
using TileConsumer = std::function<void(const at::Tensor& tile, std::int64_t y, std::int64_t x)>;

/// Computes a stage for maps of one size. At the edges of the picture a tile ends where the picture
/// does, so that filters see there what they see without tiles.
void run_tiled(const Stage& stage, const std::vector<at::Tensor>& maps, std::int64_t tile,
               const TileConsumer& consume) {
  const std::int64_t height = maps.front().size(2);
  const std::int64_t width = maps.front().size(3);
  const std::int64_t scale = stage.scale;
  for (std::int64_t top = 0; top < height; top += tile) {
    for (std::int64_t left = 0; left < width; left += tile) {
      const std::int64_t rows = std::min(tile, height - top);
      const std::int64_t columns = std::min(tile, width - left);
      const std::int64_t y = std::max<std::int64_t>(top - stage.reach_px, 0);
      const std::int64_t x = std::max<std::int64_t>(left - stage.reach_px, 0);
      const std::int64_t y_end = std::min(top + rows + stage.reach_px, height);
      const std::int64_t x_end = std::min(left + columns + stage.reach_px, width);
      std::vector<at::Tensor> parts;
      for (const at::Tensor& map : maps) {
        parts.push_back(map.narrow(2, y, y_end - y).narrow(3, x, x_end - x));
      }
      const at::Tensor made = stage.run(parts);
      consume(made.narrow(2, (top - y) * scale, rows * scale)
                  .narrow(3, (left - x) * scale, columns * scale),
              top * scale, left * scale);
    }
  }
}

at::Tensor run_whole(const Stage& stage, const std::vector<at::Tensor>& maps, std::int64_t tile) {
  at::Tensor whole;
  run_tiled(stage, maps, tile, [&](const at::Tensor& part, std::int64_t y, std::int64_t x) {
    if (!whole.defined()) {
      const at::Tensor& first = maps.front();
      whole = at::empty({1, part.size(1), first.size(2) * stage.scale, first.size(3) * stage.scale},
                        part.options());
    }
    whole.narrow(2, y, part.size(2)).narrow(3, x, part.size(3)).copy_(part);
  });
  return whole;
}

at::Tensor convolved(const at::Tensor& map, const ConvolutionWeights& weights) {
  return at::conv2d(map, weights.weight, weights.bias, 1, weights.weight.size(2) / 2);
}

at::Tensor rectified(const at::Tensor& map) { return at::leaky_relu(map, 0.2); }

at::Tensor twice_as_large(const at::Tensor& map) {
  return at::upsample_nearest2d(map, {2 * map.size(2), 2 * map.size(3)});
}

/// Residual in residual: three blocks of five convolutions, each of which sees all before it.
at::Tensor run_block(const at::Tensor& input, const ResidualBlockWeights& block) {
  at::Tensor map = input;
  for (const auto& dense : block) {
    std::vector<at::Tensor> seen = {map};
    for (std::size_t i = 0; i + 1 < dense.size(); ++i) {
      seen.push_back(rectified(convolved(at::cat(seen, 1), dense[i])));
    }
    map = convolved(at::cat(seen, 1), dense.back()) * 0.2 + map;
  }
  return map * 0.2 + input;
}

/// From the trunk to pixels. Its filters reach three pixels of the trunk where nothing is enlarged,
/// and less behind an enlargement.
at::Tensor run_tail(const std::vector<at::Tensor>& maps, const EsrganWeights& weights) {
  at::Tensor map = maps[0] + convolved(maps[1], weights.trunk);
  for (const ConvolutionWeights& larger : weights.enlarging) {
    map = rectified(convolved(twice_as_large(map), larger));
  }
  return convolved(rectified(convolved(map, weights.fine)), weights.last);
}

at::Tensor run_compact(const at::Tensor& pixels, const CompactWeights& weights) {
  at::Tensor map = pixels;
  for (std::size_t i = 0; i < weights.convolutions.size(); ++i) {
    map = convolved(map, weights.convolutions[i]);
    if (i < weights.slopes.size()) map = at::prelu(map, weights.slopes[i]);
  }
  const std::int64_t scale = weights.scale;
  return at::pixel_shuffle(map, scale) +
         at::upsample_nearest2d(pixels, {scale * pixels.size(2), scale * pixels.size(3)});
}

at::Tensor to_pixels(const Image& image) {
  auto* bytes = const_cast<std::uint8_t*>(image.rgb.data());  // only read
  return at::from_blob(bytes, {1, image.height_px, image.width_px, 3}, at::kByte)
             .to(at::kFloat)
             .permute({0, 3, 1, 2})
             .contiguous() /
         255;
}

}  // namespace

struct Upscaler::Impl {
  UpscalerWeights weights;
  c10::Device device;

  int unshuffle() const { return weights.esrgan ? weights.esrgan->unshuffle : 1; }

  /// Computes tile by tile. `consume` gets pixels of the large picture, which may reach beyond it
  /// to the right and at the bottom where its sides are no multiples of the unshuffled pixels.
  void run(const at::Tensor& pixels, int tile_px, const TileConsumer& consume) const {
    const at::NoGradGuard no_grad;
    const at::Tensor input = pixels.to(device, at::kFloat);
    if (weights.compact) {
      const CompactWeights& compact = *weights.compact;
      const Stage stage{static_cast<int>(compact.convolutions.size()), compact.scale,
                        [&](const std::vector<at::Tensor>& maps) {
                          return run_compact(maps[0].contiguous(), compact);
                        }};
      run_tiled(stage, {input}, tile_px, consume);
      return;
    }
    const EsrganWeights& esrgan = *weights.esrgan;
    const std::int64_t step = esrgan.unshuffle;
    const std::int64_t tile = std::max<std::int64_t>(tile_px / step, 1);
    at::Tensor start = input;
    if (step > 1) {
      const auto missing = [step](std::int64_t side) { return (step - side % step) % step; };
      start = at::pixel_unshuffle(
          at::replication_pad2d(input, {0, missing(input.size(3)), 0, missing(input.size(2))}),
          step);
    }
    const Stage first{1, 1, [&](const std::vector<at::Tensor>& maps) {
                        return convolved(maps[0], esrgan.first);
                      }};
    const at::Tensor features = run_whole(first, {start}, tile);
    at::Tensor trunk = features;
    for (const ResidualBlockWeights& block : esrgan.blocks) {
      // Three times five filters of three by three pixels.
      const Stage stage{
          15, 1, [&](const std::vector<at::Tensor>& maps) { return run_block(maps[0], block); }};
      trunk = run_whole(stage, {trunk}, tile);
    }
    const int large = 1 << esrgan.enlarging.size();
    const Stage tail{4, large,
                     [&](const std::vector<at::Tensor>& maps) { return run_tail(maps, esrgan); }};
    run_tiled(tail, {features, trunk}, tile, consume);
  }
};

Upscaler::Upscaler(const fs::path& file, c10::Device device)
    : impl_(std::make_unique<Impl>(Impl{read_upscaler_weights(file, device), device})) {}

Upscaler::~Upscaler() = default;
Upscaler::Upscaler(Upscaler&&) noexcept = default;
Upscaler& Upscaler::operator=(Upscaler&&) noexcept = default;

int Upscaler::scale() const { return impl_->weights.scale(); }

at::Tensor Upscaler::run(const at::Tensor& pixels, int tile_px) const {
  if (pixels.dim() != 4 || pixels.size(0) != 1 || pixels.size(1) != 3 || tile_px < 1) {
    throw InternalError("Upscaler::run: expected a tensor [1,3,H,W]");
  }
  const std::int64_t height = pixels.size(2) * scale();
  const std::int64_t width = pixels.size(3) * scale();
  at::Tensor whole = at::empty({1, 3, height, width});
  impl_->run(pixels, tile_px, [&](const at::Tensor& tile, std::int64_t y, std::int64_t x) {
    const std::int64_t rows = std::min(tile.size(2), height - y);
    const std::int64_t columns = std::min(tile.size(3), width - x);
    if (rows < 1 || columns < 1) return;
    whole.narrow(2, y, rows)
        .narrow(3, x, columns)
        .copy_(tile.narrow(2, 0, rows).narrow(3, 0, columns));
  });
  return whole;
}

Image Upscaler::enlarge(const Image& image) const {
  require_memory(image.width_px, image.height_px);
  Image large(image.width_px * scale(), image.height_px * scale());
  const std::size_t stride = std::size_t{3} * static_cast<std::size_t>(large.width_px);
  impl_->run(
      to_pixels(image), kTile_px, [&](const at::Tensor& tile, std::int64_t y, std::int64_t x) {
        const std::int64_t rows = std::min<std::int64_t>(tile.size(2), large.height_px - y);
        const std::int64_t columns = std::min<std::int64_t>(tile.size(3), large.width_px - x);
        if (rows < 1 || columns < 1) return;
        const at::Tensor bytes = (tile.narrow(2, 0, rows).narrow(3, 0, columns).clamp(0, 1) * 255)
                                     .round()
                                     .to(at::kByte)
                                     .permute({0, 2, 3, 1})
                                     .cpu()
                                     .contiguous();
        const auto* source = bytes.const_data_ptr<std::uint8_t>();
        const std::size_t row_bytes = std::size_t{3} * static_cast<std::size_t>(columns);
        for (std::int64_t row = 0; row < rows; ++row) {
          std::memcpy(large.rgb.data() + static_cast<std::size_t>(y + row) * stride +
                          std::size_t{3} * static_cast<std::size_t>(x),
                      source + static_cast<std::size_t>(row) * row_bytes, row_bytes);
        }
      });
  return large;
}

void Upscaler::require_memory(int width_px, int height_px) const {
  const double pixels = static_cast<double>(width_px) * height_px;
  const double small = pixels / (impl_->unshuffle() * impl_->unshuffle());
  // Maps of a block's input and output, and of the features that are added to the last one's.
  const double maps = impl_->weights.esrgan ? 3.0 * impl_->weights.esrgan->channels() : 3;
  const double bytes = small * maps * sizeof(float) + 3 * pixels * scale() * scale();
  const auto free = static_cast<double>(available_bytes(impl_->device));
  if (bytes <= free) return;
  const auto side = [this](int px) { return std::to_string(std::int64_t{px} * scale()); };
  throw TryAgainError("`upscale`: " + side(width_px) + "x" + side(height_px) +
                      " pixels take about " + bytes_text(static_cast<std::uint64_t>(bytes)) +
                      " of memory, and " + bytes_text(static_cast<std::uint64_t>(free)) +
                      " are free; make the picture smaller, or enlarge it by a smaller factor");
}

namespace {

/// The names without endings of what may be an upscaler in a folder, which need not exist.
std::vector<std::string> list_network_files(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
    const fs::path ending = entry.path().extension();
    if (ending == ".safetensors" || ending == ".pth") names.push_back(entry.path().stem().string());
  }
  return names;
}

}  // namespace

fs::path find_upscaler(const std::string& name) {
  std::error_code ignored;
  if (fs::exists(name, ignored)) return name;
  const std::string file = fs::path(name).filename().string();
  std::vector<std::string> folders;
  std::vector<std::string> there;
  for (const fs::path& folder : list_model_folders()) {
    for (const char* ending : {"", ".safetensors", ".pth"}) {
      const fs::path candidate = folder / (file + ending);
      if (fs::is_regular_file(candidate, ignored)) return candidate;
    }
    folders.push_back(folder.string());
    for (const std::string& network : list_network_files(folder)) there.push_back(network);
  }
  std::string message =
      "`upscale` " + name + ": no such file, nor one of this name in " + join(folders, ", ");
  if (!there.empty()) {
    message += "; of the files there the nearest are " + join(nearest_words(file, there), ", ");
  }
  throw MissingInputError(message);
}

std::string upscaler_name(const std::string& name) {
  const fs::path file(name);
  const bool has_ending =
      file.extension() == ".safetensors" || file.extension() == ".pth" || file.extension() == ".pt";
  return (has_ending ? file.stem() : file.filename()).string();
}

}  // namespace sdx
