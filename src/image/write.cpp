#include "sdx/image/write.h"

#include <map>
#include <string>

#include "image/encoders.h"
#include "image/exif_comment.h"
#include "image/text_encoding.h"
#include "sdx/image/png.h"
#include "sdx/util/file.h"

namespace sdx {
namespace {

constexpr int kMaxQuality = 100;
constexpr int kJpegQuality = 95;
constexpr int kWebpQuality = 90;

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

void write_image(const std::filesystem::path& path, const Image& image,
                 const ImageEncoding& encoding, const ImageMetadata& metadata) {
  if (encoding.quality < 0 || encoding.quality > kMaxQuality) {
    throw UsageError("a picture's quality is 1 to " + std::to_string(kMaxQuality) + ", not " +
                     std::to_string(encoding.quality));
  }
  const auto quality_or = [&encoding](int preset) {
    return encoding.quality == 0 ? preset : encoding.quality;
  };
  const std::string xmp = metadata.ai_generated ? xmp_packet() : std::string();
  if (encoding.format == ImageFormat::kPng) {
    std::map<std::string, std::string> texts;
    if (!metadata.parameters.empty()) texts["parameters"] = metadata.parameters;
    if (!xmp.empty()) texts[std::string(kPngXmpKeyword)] = xmp;
    write_png(path, image, texts);
    return;
  }
  const std::string exif = metadata.parameters.empty()
                               ? std::string()
                               : exif_comment_block(sanitised_utf8(metadata.parameters));
  write_file_atomically(path, encoding.format == ImageFormat::kJpeg
                                  ? encode_jpeg(image, quality_or(kJpegQuality), exif, xmp)
                                  : encode_webp(image, quality_or(kWebpQuality), exif, xmp));
}

}  // namespace sdx
