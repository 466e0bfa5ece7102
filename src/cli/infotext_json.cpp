#include "sdx/cli/infotext_json.h"

namespace sdx {

Json to_json(const Infotext& infotext) {
  Json settings = Json::object();
  for (const auto& [key, value] : infotext.fields) {
    if (!settings.contains(key)) settings[key] = value;
  }
  const Json object = {{"prompt", infotext.prompt},
                       {"negative_prompt", infotext.negative_prompt},
                       {"settings", settings}};
  return Json::parse(object.dump(-1, ' ', false, Json::error_handler_t::replace));
}

}  // namespace sdx
