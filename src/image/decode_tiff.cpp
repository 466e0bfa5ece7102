#include <tiffio.h>

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "image/colour_profile.h"
#include "image/decoders.h"
#include "image/system_library.h"
#include "sdx/util/error.h"

namespace sdx {
namespace {

/// libtiff, of whose functions these are used.
struct Tiff {
  SystemLibrary library{"libtiff.so.6", "libtiff", "libtiff6"};
  decltype(TIFFOpenOptionsAlloc)* allocate_options = nullptr;
  decltype(TIFFOpenOptionsFree)* free_options = nullptr;
  decltype(TIFFOpenOptionsSetMaxSingleMemAlloc)* set_most_memory = nullptr;
  decltype(TIFFOpenOptionsSetErrorHandlerExtR)* set_error_handler = nullptr;
  decltype(TIFFOpenOptionsSetWarningHandlerExtR)* set_warning_handler = nullptr;
  decltype(TIFFClientOpenExt)* open = nullptr;
  decltype(TIFFClose)* close = nullptr;
  decltype(TIFFGetField)* get_field = nullptr;
  decltype(TIFFRGBAImageOK)* can_read = nullptr;
  decltype(TIFFReadRGBAImageOriented)* read = nullptr;

  Tiff() {
    library.find(allocate_options, "TIFFOpenOptionsAlloc");
    library.find(free_options, "TIFFOpenOptionsFree");
    library.find(set_most_memory, "TIFFOpenOptionsSetMaxSingleMemAlloc");
    library.find(set_error_handler, "TIFFOpenOptionsSetErrorHandlerExtR");
    library.find(set_warning_handler, "TIFFOpenOptionsSetWarningHandlerExtR");
    library.find(open, "TIFFClientOpenExt");
    library.find(close, "TIFFClose");
    library.find(get_field, "TIFFGetField");
    library.find(can_read, "TIFFRGBAImageOK");
    library.find(read, "TIFFReadRGBAImageOriented");
  }
};

const Tiff& loaded_tiff() {
  static const Tiff kTiff;
  kTiff.library.require("a TIFF");
  return kTiff;
}

// One strip may hold all of a picture with four channels of 16 bits.
constexpr tmsize_t kMostBytesAtOnce = tmsize_t{8} * kMaxImageMegapixels * 1000000;

/// A file in memory, as libtiff's callbacks see it, and the first complaint about it.
struct TiffSource {
  std::string_view file;
  std::size_t position = 0;
  std::string failure;
};

TiffSource& source_behind(thandle_t handle) { return *static_cast<TiffSource*>(handle); }

extern "C" {

tmsize_t on_tiff_read(thandle_t handle, void* target, tmsize_t size) {
  TiffSource& source = source_behind(handle);
  if (size < 0 || source.position >= source.file.size()) return 0;
  const std::size_t count =
      std::min(static_cast<std::size_t>(size), source.file.size() - source.position);
  std::memcpy(target, source.file.data() + source.position, count);
  source.position += count;
  return static_cast<tmsize_t>(count);
}

tmsize_t on_tiff_write(thandle_t, void*, tmsize_t) { return 0; }

toff_t on_tiff_seek(thandle_t handle, toff_t offset, int whence) {
  TiffSource& source = source_behind(handle);
  std::size_t from = 0;
  if (whence == SEEK_CUR) from = source.position;
  if (whence == SEEK_END) from = source.file.size();
  source.position = from + static_cast<std::size_t>(offset);  // what lies beyond reads as nothing
  return source.position;
}

int on_tiff_close(thandle_t) { return 0; }

toff_t on_tiff_size(thandle_t handle) { return source_behind(handle).file.size(); }

/// The file is in memory already; libtiff then copies nothing. It does not write to what it maps.
int on_tiff_map(thandle_t handle, void** base, toff_t* size) {
  const std::string_view file = source_behind(handle).file;
  *base = const_cast<char*>(file.data());
  *size = file.size();
  return 1;
}

void on_tiff_unmap(thandle_t, void*, toff_t) {}

/// Returns 1: the complaint does not go to the terminal.
int on_tiff_error(TIFF*, void* user, const char*, const char* format, va_list arguments) {
  auto& source = *static_cast<TiffSource*>(user);
  std::array<char, 200> text{};
  std::vsnprintf(text.data(), text.size(), format, arguments);
  if (source.failure.empty()) source.failure = text.data();
  return 1;
}

/// Of tags that it does not know, for example.
int on_tiff_warning(TIFF*, void*, const char*, const char*, va_list) { return 1; }

}  // extern "C"

[[noreturn]] void throw_tiff_failure(const TiffSource& source) {
  throw DataError("damaged TIFF: " +
                  (source.failure.empty() ? "libtiff cannot decode it" : source.failure));
}

/// @throws DataError for a camera's raw file: what TIFF's readers find in it is a thumbnail.
void refuse_raw(const Tiff& tiff, TIFF* opened, std::string_view file) {
  constexpr std::uint32_t kDngVersion = 50706;
  std::uint32_t kind = 0;
  std::uint8_t* version = nullptr;
  const bool is_preview = tiff.get_field(opened, TIFFTAG_SUBFILETYPE, &kind) == 1 &&
                          (kind & FILETYPE_REDUCEDIMAGE) != 0;
  const bool is_dng = tiff.get_field(opened, kDngVersion, &version) == 1;
  if (is_preview || is_dng || file.substr(8).starts_with("CR")) {
    throw DataError(
        "a camera's raw file, of which only the small preview could be read; export it as JPEG");
  }
}

/// The picture over white. In libtiff's pixels the alpha is multiplied into the colours already.
Image without_tiff_alpha(const std::vector<std::uint32_t>& raster, int width, int height) {
  Image image(width, height);
  std::uint8_t* target = image.rgb.data();
  for (const std::uint32_t pixel : raster) {
    const std::uint32_t white = 255 - TIFFGetA(pixel);
    for (const std::uint32_t value : {TIFFGetR(pixel), TIFFGetG(pixel), TIFFGetB(pixel)}) {
      *target++ = static_cast<std::uint8_t>(std::min<std::uint32_t>(value + white, 255));
    }
  }
  return image;
}

}  // namespace

DecodedImage decode_tiff(std::string_view file) {
  const Tiff& tiff = loaded_tiff();
  TiffSource source{file, 0, {}};
  const std::unique_ptr<TIFFOpenOptions, decltype(TIFFOpenOptionsFree)*> options(
      tiff.allocate_options(), tiff.free_options);
  if (options == nullptr) throw std::bad_alloc();
  tiff.set_most_memory(options.get(), kMostBytesAtOnce);
  tiff.set_error_handler(options.get(), on_tiff_error, &source);
  tiff.set_warning_handler(options.get(), on_tiff_warning, &source);
  const std::unique_ptr<TIFF, decltype(TIFFClose)*> opened(
      tiff.open("picture", "r", &source, on_tiff_read, on_tiff_write, on_tiff_seek, on_tiff_close,
                on_tiff_size, on_tiff_map, on_tiff_unmap, options.get()),
      tiff.close);
  if (opened == nullptr) throw_tiff_failure(source);
  refuse_raw(tiff, opened.get(), file);

  std::uint32_t width = 0;
  std::uint32_t height = 0;
  tiff.get_field(opened.get(), TIFFTAG_IMAGEWIDTH, &width);
  tiff.get_field(opened.get(), TIFFTAG_IMAGELENGTH, &height);
  require_size(width, height);
  std::array<char, 1024> reason{};
  if (tiff.can_read(opened.get(), reason.data()) == 0) {
    throw DataError("a TIFF of a kind that libtiff does not turn into colours (" +
                    std::string(reason.data()) + "); save it with 8 or 16 bits a channel");
  }

  DecodedImage decoded;
  std::uint16_t orientation = 1;
  if (tiff.get_field(opened.get(), TIFFTAG_ORIENTATION, &orientation) == 1 && orientation >= 1 &&
      orientation <= 8) {
    decoded.exif_orientation = orientation;
  }
  std::vector<std::uint32_t> raster(std::size_t{width} * height);
  // Asked for the orientation that it has, libtiff gives the rows as they are stored.
  if (tiff.read(opened.get(), width, height, raster.data(), decoded.exif_orientation, 1) == 0 ||
      !source.failure.empty()) {
    throw_tiff_failure(source);
  }
  decoded.image = without_tiff_alpha(raster, static_cast<int>(width), static_cast<int>(height));

  std::uint32_t icc_bytes = 0;
  void* icc = nullptr;
  if (tiff.get_field(opened.get(), TIFFTAG_ICCPROFILE, &icc_bytes, &icc) == 1 && icc != nullptr) {
    convert_to_srgb(decoded.image, {static_cast<const char*>(icc), icc_bytes});
  }
  return decoded;
}

}  // namespace sdx
