#include <libheif/heif.h>

#include <algorithm>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "image/colour_profile.h"
#include "image/decoders.h"
#include "image/exif_comment.h"
#include "image/system_library.h"
#include "sdx/util/error.h"

namespace sdx {
namespace {

// The longest side that libheif lets a part of a picture have: a tile, or what its stream claims.
constexpr int kMostSide_px = 16384;

/// libheif, of whose functions these are used.
struct Heif {
  SystemLibrary library{"libheif.so.1", "libheif",
                        "libheif1 (of Debian; Ubuntu's has its decoders in packages of their own: "
                        "libheif-plugin-libde265 for HEIC, libheif-plugin-dav1d for AVIF)"};
  decltype(heif_context_alloc)* allocate_context = nullptr;
  decltype(heif_context_free)* free_context = nullptr;
  decltype(heif_context_set_maximum_image_size_limit)* set_size_limit = nullptr;
  decltype(heif_context_read_from_memory_without_copy)* read = nullptr;
  decltype(heif_context_get_primary_image_handle)* get_primary = nullptr;
  decltype(heif_image_handle_release)* release_handle = nullptr;
  decltype(heif_image_handle_get_width)* get_width = nullptr;
  decltype(heif_image_handle_get_height)* get_height = nullptr;
  decltype(heif_image_handle_has_alpha_channel)* has_alpha = nullptr;
  decltype(heif_image_handle_is_premultiplied_alpha)* is_premultiplied = nullptr;
  decltype(heif_image_handle_get_raw_color_profile_size)* get_icc_size = nullptr;
  decltype(heif_image_handle_get_raw_color_profile)* get_icc = nullptr;
  decltype(heif_image_handle_get_nclx_color_profile)* get_nclx = nullptr;
  decltype(heif_nclx_color_profile_free)* free_nclx = nullptr;
  decltype(heif_image_handle_get_list_of_metadata_block_IDs)* list_metadata = nullptr;
  decltype(heif_image_handle_get_metadata_size)* get_metadata_size = nullptr;
  decltype(heif_image_handle_get_metadata)* get_metadata = nullptr;
  decltype(heif_decoding_options_alloc)* allocate_options = nullptr;
  decltype(heif_decoding_options_free)* free_options = nullptr;
  decltype(heif_have_decoder_for_format)* has_decoder = nullptr;
  decltype(heif_decode_image)* decode = nullptr;
  decltype(heif_image_get_primary_width)* get_image_width = nullptr;
  decltype(heif_image_get_primary_height)* get_image_height = nullptr;
  decltype(heif_image_get_plane_readonly)* get_plane = nullptr;
  decltype(heif_image_release)* release_image = nullptr;

  Heif() {
    library.find(allocate_context, "heif_context_alloc");
    library.find(free_context, "heif_context_free");
    library.find(set_size_limit, "heif_context_set_maximum_image_size_limit");
    library.find(read, "heif_context_read_from_memory_without_copy");
    library.find(get_primary, "heif_context_get_primary_image_handle");
    library.find(release_handle, "heif_image_handle_release");
    library.find(get_width, "heif_image_handle_get_width");
    library.find(get_height, "heif_image_handle_get_height");
    library.find(has_alpha, "heif_image_handle_has_alpha_channel");
    library.find(is_premultiplied, "heif_image_handle_is_premultiplied_alpha");
    library.find(get_icc_size, "heif_image_handle_get_raw_color_profile_size");
    library.find(get_icc, "heif_image_handle_get_raw_color_profile");
    library.find(get_nclx, "heif_image_handle_get_nclx_color_profile");
    library.find(free_nclx, "heif_nclx_color_profile_free");
    library.find(list_metadata, "heif_image_handle_get_list_of_metadata_block_IDs");
    library.find(get_metadata_size, "heif_image_handle_get_metadata_size");
    library.find(get_metadata, "heif_image_handle_get_metadata");
    library.find(allocate_options, "heif_decoding_options_alloc");
    library.find(free_options, "heif_decoding_options_free");
    library.find(has_decoder, "heif_have_decoder_for_format");
    library.find(decode, "heif_decode_image");
    library.find(get_image_width, "heif_image_get_primary_width");
    library.find(get_image_height, "heif_image_get_primary_height");
    library.find(get_plane, "heif_image_get_plane_readonly");
    library.find(release_image, "heif_image_release");
  }
};

/// One kind of the files that libheif reads.
struct HeifKind {
  const char* name;
  heif_compression_format format;
};

/// @throws DataError where libheif is not installed.
const Heif& loaded_heif(const HeifKind& kind) {
  static const Heif kHeif;
  kHeif.library.require((std::string("a picture in ") + kind.name).c_str());
  return kHeif;
}

void require_success(const heif_error& error, const HeifKind& kind, const Heif& heif) {
  if (error.code == heif_error_Ok) return;
  if (error.code == heif_error_Memory_allocation_error &&
      error.subcode != heif_suberror_Security_limit_exceeded) {
    throw std::bad_alloc();
  }
  const std::string name = kind.name;
  if (heif.has_decoder(kind.format) == 0) {
    throw DataError("a picture in " + name + ", for which libheif has no decoder here; install " +
                    "libheif-plugin-libde265 (HEIC) or libheif-plugin-dav1d (AVIF), or save the "
                    "picture as JPEG");
  }
  const std::string reason = error.message == nullptr ? "no reason is given" : error.message;
  if (error.subcode == heif_suberror_End_of_data) {
    throw DataError("truncated: the data of the " + name + " end too early (" + reason + ")");
  }
  throw DataError("damaged " + name + ": " + reason);
}

/// A file and its main picture.
class HeifReader {
 public:
  HeifReader(std::string_view file, const HeifKind& kind) : kind_(kind), heif_(loaded_heif(kind)) {
    context_ = {heif_.allocate_context(), heif_.free_context};
    if (context_ == nullptr) throw std::bad_alloc();
    heif_.set_size_limit(context_.get(), kMostSide_px);
    require_success(heif_.read(context_.get(), file.data(), file.size(), nullptr), kind_, heif_);
    heif_image_handle* handle = nullptr;
    require_success(heif_.get_primary(context_.get(), &handle), kind_, heif_);
    handle_ = {handle, heif_.release_handle};
    const int width = heif_.get_width(handle);
    const int height = heif_.get_height(handle);
    require_size(static_cast<std::uint64_t>(std::max(width, 0)),
                 static_cast<std::uint64_t>(std::max(height, 0)));
  }

  /// Turned and mirrored as the file says.
  Image decode() const {
    const bool has_alpha = heif_.has_alpha(handle_.get()) != 0;
    const bool is_premultiplied = has_alpha && heif_.is_premultiplied(handle_.get()) != 0;
    const std::unique_ptr<heif_decoding_options, void (*)(heif_decoding_options*)> options(
        heif_.allocate_options(), heif_.free_options);
    if (options == nullptr) throw std::bad_alloc();
    options->convert_hdr_to_8bit = 1;
    options->strict_decoding = 1;
    heif_image* raw = nullptr;
    require_success(
        heif_.decode(handle_.get(), &raw, heif_colorspace_RGB,
                     has_alpha ? heif_chroma_interleaved_RGBA : heif_chroma_interleaved_RGB,
                     options.get()),
        kind_, heif_);
    const std::unique_ptr<heif_image, decltype(heif_image_release)*> decoded(raw,
                                                                             heif_.release_image);
    const int width = heif_.get_image_width(raw);
    const int height = heif_.get_image_height(raw);
    require_size(static_cast<std::uint64_t>(std::max(width, 0)),
                 static_cast<std::uint64_t>(std::max(height, 0)));
    int stride = 0;
    const std::uint8_t* const plane = heif_.get_plane(raw, heif_channel_interleaved, &stride);
    const std::size_t channels = has_alpha ? 4 : 3;
    const std::size_t row = channels * static_cast<std::size_t>(width);
    if (plane == nullptr || stride < 0 || static_cast<std::size_t>(stride) < row) {
      throw DataError("damaged " + std::string(kind_.name) + ": libheif gives no pixels");
    }
    std::vector<std::uint8_t> pixels;
    pixels.reserve(row * static_cast<std::size_t>(height));
    for (std::size_t y = 0; y < static_cast<std::size_t>(height); ++y) {
      const std::uint8_t* const begin = plane + y * static_cast<std::size_t>(stride);
      pixels.insert(pixels.end(), begin, begin + row);
    }
    if (is_premultiplied) return over_white(pixels, width, height);
    if (has_alpha) return without_alpha(pixels, width, height);
    Image image;
    image.width_px = width;
    image.height_px = height;
    image.rgb = std::move(pixels);
    return image;
  }

  /// Converts what was decoded, by the profile or the primaries that the file names.
  void convert(Image& image) const {
    if (const std::string icc = icc_profile(); !icc.empty()) {
      convert_to_srgb(image, icc);
      return;
    }
    heif_color_profile_nclx* raw = nullptr;
    const bool has_nclx = heif_.get_nclx(handle_.get(), &raw).code == heif_error_Ok;
    if (!has_nclx || raw == nullptr) return;
    const std::unique_ptr<heif_color_profile_nclx, decltype(heif_nclx_color_profile_free)*> nclx(
        raw, heif_.free_nclx);
    const auto transfer = nclx->transfer_characteristics;
    if (transfer == heif_transfer_characteristic_ITU_R_BT_2100_0_PQ ||
        transfer == heif_transfer_characteristic_ITU_R_BT_2100_0_HLG ||
        transfer == heif_transfer_characteristic_linear) {
      throw DataError(
          "an HDR picture, whose brightness is coded otherwise than a screen's "
          "(transfer characteristics " +
          std::to_string(static_cast<int>(transfer)) +
          "); export it as an ordinary picture (SDR), for example as JPEG");
    }
    if (nclx->color_primaries == heif_color_primaries_unspecified ||
        !(nclx->color_primary_white_y > 0)) {
      return;
    }
    convert_to_srgb(image, {nclx->color_primary_white_x, nclx->color_primary_white_y},
                    {{{nclx->color_primary_red_x, nclx->color_primary_red_y},
                      {nclx->color_primary_green_x, nclx->color_primary_green_y},
                      {nclx->color_primary_blue_x, nclx->color_primary_blue_y}}});
  }

  /// The first block of EXIF data, or nothing.
  std::string exif() const {
    heif_item_id id = 0;
    if (heif_.list_metadata(handle_.get(), "Exif", &id, 1) < 1) return {};
    std::string block(heif_.get_metadata_size(handle_.get(), id), '\0');
    require_success(heif_.get_metadata(handle_.get(), id, block.data()), kind_, heif_);
    // A number says where TIFF's header begins behind it.
    constexpr std::size_t kOffsetBytes = 4;
    if (block.size() < kOffsetBytes) return {};
    std::size_t offset = kOffsetBytes;
    for (std::size_t i = 0, scale = std::size_t{1} << 24U; i < kOffsetBytes; ++i, scale >>= 8U) {
      offset += static_cast<std::uint8_t>(block[i]) * scale;
    }
    return offset < block.size() ? block.substr(offset) : std::string();
  }

 private:
  std::string icc_profile() const {
    std::string icc(heif_.get_icc_size(handle_.get()), '\0');
    if (icc.empty() || heif_.get_icc(handle_.get(), icc.data()).code != heif_error_Ok) return {};
    return icc;
  }

  HeifKind kind_;
  const Heif& heif_;
  std::unique_ptr<heif_context, decltype(heif_context_free)*> context_{nullptr, nullptr};
  std::unique_ptr<heif_image_handle, decltype(heif_image_handle_release)*> handle_{nullptr,
                                                                                   nullptr};
};

constexpr HeifKind kHeic = {"HEIC", heif_compression_HEVC};
constexpr HeifKind kAvif = {"AVIF", heif_compression_AV1};

DecodedImage decode(std::string_view file, const HeifKind& kind) {
  const HeifReader reader(file, kind);
  // The orientation in the EXIF data says what the file's own transformations have done already.
  DecodedImage decoded;
  decoded.image = reader.decode();
  reader.convert(decoded.image);
  return decoded;
}

std::map<std::string, std::string> texts(std::string_view file, const HeifKind& kind) {
  const std::string exif = HeifReader(file, kind).exif();
  return exif.empty() ? std::map<std::string, std::string>() : exif_texts(exif);
}

}  // namespace

DecodedImage decode_heic(std::string_view file) { return decode(file, kHeic); }
DecodedImage decode_avif(std::string_view file) { return decode(file, kAvif); }
std::map<std::string, std::string> heic_texts(std::string_view file) { return texts(file, kHeic); }
std::map<std::string, std::string> avif_texts(std::string_view file) { return texts(file, kAvif); }

}  // namespace sdx
