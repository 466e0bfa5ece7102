#pragma once

#include "sdx/image/write.h"
#include "sdx/util/settings_table.h"

namespace sdx {

/// How images are written: format and quality.
const SettingsTable<ImageEncoding>& encoding_settings();

}  // namespace sdx
