#include "sdx/image/write.h"

#include <string>
#include <vector>

#include "image/codec.h"
#include "sdx/util/error.h"
#include "sdx/util/file.h"

namespace sdx {
namespace {

constexpr int kMaxQuality = 100;

/// XMP that says what made the picture. The id is the same in every XMP packet.
std::string xmp_packet() {
  return "<?xpacket begin=\"\xEF\xBB\xBF\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n"
         "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\">\n"
         "<rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\n"
         "<rdf:Description rdf:about=\"\"\n"
         " xmlns:Iptc4xmpExt=\"http://iptc.org/std/Iptc4xmpExt/2008-02-29/\">\n"
         "<Iptc4xmpExt:DigitalSourceType>" +
         std::string(kTrainedAlgorithmicMedia) +
         "</Iptc4xmpExt:DigitalSourceType>\n"
         "</rdf:Description>\n"
         "</rdf:RDF>\n"
         "</x:xmpmeta>\n"
         "<?xpacket end=\"w\"?>";
}

}  // namespace

std::string encode_image(const Image& image, const ImageEncoding& encoding,
                         const ImageMetadata& metadata) {
  if (encoding.quality < 0 || encoding.quality > kMaxQuality) {
    throw UsageError("a picture's quality is 1 to " + std::to_string(kMaxQuality) + ", not " +
                     std::to_string(encoding.quality));
  }
  const ImageCodec& codec = codec_for(encoding.format);
  if (codec.encode == nullptr) {
    throw UsageError(std::string(display_name(encoding.format)) + " is read, but not written");
  }
  const std::string xmp = metadata.ai_generated ? xmp_packet() : std::string();
  const int quality = encoding.quality == 0 ? codec.quality : encoding.quality;
  return codec.encode(image, quality, {metadata.parameters, xmp});
}

void write_image(const std::filesystem::path& path, const Image& image,
                 const ImageEncoding& encoding, const ImageMetadata& metadata) {
  write_file_atomically(path, encode_image(image, encoding, metadata));
}

const SettingsTable<ImageEncoding>& encoding_settings() {
  static const SettingsTable<ImageEncoding> kTable = [] {
    SettingsTable<ImageEncoding> table;
    table.group("Output");
    std::vector<std::string> formats;
    for (const ImageFormat format : writable_formats()) formats.emplace_back(to_string(format));
    table
        .add_spelled(
            "format",
            [](const ImageEncoding& encoding) { return std::string(to_string(encoding.format)); },
            [formats](ImageEncoding& encoding, const std::string& text) {
              const auto format = find_enum<ImageFormat>(text);
              if (!format || codec_for(*format).encode == nullptr) {
                throw SettingError("format", list_choices(formats), text);
              }
              encoding.format = *format;
            },
            list_choices(formats))
        .may_be(formats)
        .expects(list_choices(formats));
    table.add("quality", &ImageEncoding::quality, "1 to 100 for JPEG and WebP; 0: 95 and 90")
        .within(0, 100);
    return table;
  }();
  return kTable;
}

}  // namespace sdx
