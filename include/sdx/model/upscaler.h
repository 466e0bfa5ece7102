#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "sdx/image/image.h"

namespace sdx {

/// A network that makes a picture larger and draws the detail that it lacks, by the weights of a
/// file. Two families are known, in the names that people's files have:
///
/// - ESRGAN (RRDBNet, Wang et al. 2018): as its authors published it (`model.0`, `model.1.sub.0`),
///   as they renamed it (`RRDB_trunk.0.RDB1`), and as BasicSR and Real-ESRGAN have it
///   (`body.0.rdb1`). The factor is 1, 2, 4 or 8; one that is made of pixel-unshuffle counts.
/// - the compact network of Real-ESRGAN (SRVGGNetCompact, `body.0` … `body.34`).
///
/// The network computes tile by tile with as much of the neighbourhood as its filters reach, block
/// by block, so that the picture is that of the whole computation to within rounding, whatever the
/// tile. A float32 map of the picture's size stays in memory for each block's input and output:
/// about 512 bytes a pixel of the small picture.
class Upscaler {
 public:
  /// Side of a tile in pixels of the small picture.
  static constexpr int kTile_px = 192;

  /// @param file .safetensors, or what torch.save wrote; its name says nothing
  /// @throws DataError if it is no upscaler of these families (the message says what it seems to
  ///         be), or a weight is missing, has another shape, or is not finite; MissingInputError,
  ///         PermissionError, IoError.
  Upscaler(const std::filesystem::path& file, c10::Device device);
  ~Upscaler();
  Upscaler(Upscaler&&) noexcept;
  Upscaler& operator=(Upscaler&&) noexcept;

  /// How many times larger both sides become.
  int scale() const;

  /// @param pixels [1,3,H,W] float32, 0 … 1
  /// @return       [1,3,scale × H,scale × W] float32 on the CPU, not clamped
  at::Tensor run(const at::Tensor& pixels, int tile_px = kTile_px) const;

  /// @throws as require_memory
  Image enlarge(const Image& image) const;

  /// @throws TryAgainError if the free memory cannot hold what enlarging such a picture takes.
  void require_memory(int width_px, int height_px) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The file that the setting `upscale` means: a path, or the name of a file in one of the folders
/// of models (list_model_folders()), with or without its ending.
/// @throws MissingInputError that says where it was looked for.
std::filesystem::path find_upscaler(const std::string& name);

/// What a picture's text calls an upscaler: the name of its file without the ending.
std::string upscaler_name(const std::string& name);

}  // namespace sdx
