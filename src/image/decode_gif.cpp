#include <gif_lib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "image/decoders.h"
#include "sdx/util/error.h"

namespace sdx {
namespace {

struct CloseGif {
  void operator()(GifFileType* gif) const { DGifCloseFile(gif, nullptr); }
};

extern "C" int on_gif_read(GifFileType* gif, GifByteType* target, int size) {
  auto& rest = *static_cast<std::string_view*>(gif->UserData);
  const std::size_t count = std::min(rest.size(), static_cast<std::size_t>(std::max(size, 0)));
  std::memcpy(target, rest.data(), count);
  rest.remove_prefix(count);
  return static_cast<int>(count);
}

[[noreturn]] void throw_gif_failure(int code) {
  if (code == D_GIF_ERR_NOT_ENOUGH_MEM) throw std::bad_alloc();
  if (code == D_GIF_ERR_READ_FAILED || code == D_GIF_ERR_EOF_TOO_SOON) {
    throw DataError("truncated: the data of the GIF end too early");
  }
  const char* const reason = GifErrorString(code);
  throw DataError("damaged GIF: " + std::string(reason == nullptr ? "no reason is given" : reason));
}

void require_gif(int status, const GifFileType& gif) {
  if (status == GIF_ERROR) throw_gif_failure(gif.Error);
}

/// Reads on to the first picture.
/// @return which of its colours is transparent
std::optional<int> find_first_image(GifFileType& gif) {
  std::optional<int> transparent;
  while (true) {
    GifRecordType type = UNDEFINED_RECORD_TYPE;
    require_gif(DGifGetRecordType(&gif, &type), gif);
    if (type == IMAGE_DESC_RECORD_TYPE) return transparent;
    if (type == TERMINATE_RECORD_TYPE) throw DataError("damaged GIF: it has no picture");
    if (type != EXTENSION_RECORD_TYPE) continue;
    int code = 0;
    GifByteType* block = nullptr;
    require_gif(DGifGetExtension(&gif, &code, &block), gif);
    while (block != nullptr) {
      GraphicsControlBlock control;
      if (code == GRAPHICS_EXT_FUNC_CODE && DGifExtensionToGCB(block[0], block + 1, &control)) {
        transparent.reset();
        if (control.TransparentColor != NO_TRANSPARENT_COLOR) {
          transparent = control.TransparentColor;
        }
      }
      require_gif(DGifGetExtensionNext(&gif, &block), gif);
    }
  }
}

/// The rows of a frame in the order in which they are stored.
std::vector<int> stored_rows(int height, bool is_interlaced) {
  struct Pass {
    int first, step;
  };
  std::vector<Pass> passes = {{0, 1}};
  if (is_interlaced) passes = {{0, 8}, {4, 8}, {2, 4}, {1, 2}};
  std::vector<int> rows;
  for (const Pass& pass : passes) {
    for (int row = pass.first; row < height; row += pass.step) rows.push_back(row);
  }
  return rows;
}

}  // namespace

DecodedImage decode_gif(std::string_view file) {
  std::string_view rest = file;
  int failure = 0;
  const std::unique_ptr<GifFileType, CloseGif> gif(DGifOpen(&rest, on_gif_read, &failure));
  if (gif == nullptr) throw_gif_failure(failure);
  require_size(static_cast<std::uint64_t>(gif->SWidth), static_cast<std::uint64_t>(gif->SHeight));
  const std::optional<int> transparent = find_first_image(*gif);
  require_gif(DGifGetImageDesc(gif.get()), *gif);
  const GifImageDesc& frame = gif->Image;
  require_size(static_cast<std::uint64_t>(frame.Width), static_cast<std::uint64_t>(frame.Height));
  const ColorMapObject* const colours = frame.ColorMap != nullptr ? frame.ColorMap : gif->SColorMap;
  if (colours == nullptr) throw DataError("damaged GIF: it has no table of colours");

  // A code of 12 bits stands for 4096 pixels at the most.
  const std::uint64_t pixels =
      std::uint64_t{1} * static_cast<unsigned>(frame.Width) * static_cast<unsigned>(frame.Height);
  if (pixels / 4096 > file.size()) throw_gif_failure(D_GIF_ERR_EOF_TOO_SOON);

  // What the frame leaves out is transparent, and so white.
  DecodedImage decoded;
  decoded.image = Image(gif->SWidth, gif->SHeight);
  std::fill(decoded.image.rgb.begin(), decoded.image.rgb.end(), std::uint8_t{255});
  std::vector<GifPixelType> line(static_cast<std::size_t>(frame.Width));
  for (const int row : stored_rows(frame.Height, frame.Interlace)) {
    require_gif(DGifGetLine(gif.get(), line.data(), frame.Width), *gif);
    const int y = frame.Top + row;
    if (y < 0 || y >= decoded.image.height_px) continue;
    for (int column = 0; column < frame.Width; ++column) {
      const int x = frame.Left + column;
      const int index = line[static_cast<std::size_t>(column)];
      if (x < 0 || x >= decoded.image.width_px || index == transparent) continue;
      if (index >= colours->ColorCount) {
        throw DataError("damaged GIF: it uses colour " + std::to_string(index) + " of a table of " +
                        std::to_string(colours->ColorCount));
      }
      const GifColorType& colour = colours->Colors[index];
      std::uint8_t* const pixel =
          decoded.image.rgb.data() +
          3 * (static_cast<std::size_t>(y) * static_cast<std::size_t>(decoded.image.width_px) +
               static_cast<std::size_t>(x));
      pixel[0] = colour.Red;
      pixel[1] = colour.Green;
      pixel[2] = colour.Blue;
    }
  }
  return decoded;
}

}  // namespace sdx
