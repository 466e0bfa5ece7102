#include "sdx/device/gpus.h"

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "sdx/device/device.h"
#include "sdx/util/error.h"
#include "sdx/util/settings_table.h"
#include "sdx/util/text.h"

namespace sdx {

int count_gpus() { return Machine::present().gpus; }

std::vector<int> choose_gpus(const std::string& text, int present) {
  std::vector<int> chosen;
  if (text == "none") return chosen;
  if (text == "all") {
    for (int gpu = 0; gpu < present; ++gpu) chosen.push_back(gpu);
    return chosen;
  }
  const auto fail = [&text] {
    throw SettingError("gpus", "all, none, or numbers of GPUs with commas between, each once",
                       text);
  };
  // split_list() drops what is empty, and "0,,1" is a slip.
  if (text.empty() || text.front() == ',' || text.back() == ',' || text.find(",,") != text.npos) {
    fail();
  }
  for (const std::string& word : split_list(text, ',')) {
    const auto gpu = settings_detail::read_number<int>(word);
    if (!gpu || *gpu < 0 || std::find(chosen.begin(), chosen.end(), *gpu) != chosen.end()) fail();
    chosen.push_back(*gpu);
  }
  for (const int gpu : chosen) {
    if (gpu < present) continue;
    const std::string what =
        "`gpus` " + text + ": there is no GPU " + std::to_string(gpu) + " here";
    if (present == 0) {
      throw UnavailableError(what +
                             ", and libtorch can use no other; `gpus` none computes on the "
                             "processor");
    }
    throw UnavailableError(what + "; libtorch can use " + std::to_string(present) +
                           ", with numbers from 0 to " + std::to_string(present - 1) +
                           "; `gpus` all takes each of them");
  }
  return chosen;
}

std::string name_gpu(int gpu) { return std::string(kGpu) + ":" + std::to_string(gpu); }

std::pair<std::string, std::string> make_visible(int gpu) {
  const char* const visible = std::getenv(kVisibleGpus);
  const std::vector<std::string> names = split_list(visible == nullptr ? "" : visible, ',');
  const auto index = static_cast<std::size_t>(gpu);
  return {kVisibleGpus, index < names.size() ? names[index] : std::to_string(gpu)};
}

}  // namespace sdx
