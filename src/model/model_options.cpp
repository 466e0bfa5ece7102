#include "sdx/model/model_options.h"

#include "sdx/device/device.h"

namespace sdx {

const SettingsTable<ModelOptions>& model_settings() {
  static const SettingsTable<ModelOptions> kTable = [] {
    SettingsTable<ModelOptions> table;
    table.group("Model and device");
    table
        .add("model", &ModelOptions::model,
             "Name or folder of a model; $SDX_MODEL changes the default")
        .path(SettingValue::kModel)
        .common()
        .from_environment("SDX_MODEL");
    table.add("device", &ModelOptions::device, kDeviceHelp).common();
    table.add("dtype", &ModelOptions::dtype, kPrecisionHelp);
    table.add("threads", &ModelOptions::threads, "Number of CPU threads; 0: one for each core")
        .at_least(0);
    return table;
  }();
  return kTable;
}

}  // namespace sdx
