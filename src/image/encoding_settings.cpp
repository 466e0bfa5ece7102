#include "sdx/image/encoding_settings.h"

namespace sdx {

const SettingsTable<ImageEncoding>& encoding_settings() {
  static const SettingsTable<ImageEncoding> kTable = [] {
    SettingsTable<ImageEncoding> table;
    table.group("Output");
    table.add("format", &ImageEncoding::format, "png, jpeg or webp");
    table.add("quality", &ImageEncoding::quality, "1 to 100 for JPEG and WebP; 0: 95 and 90")
        .within(0, 100);
    return table;
  }();
  return kTable;
}

}  // namespace sdx
