#include "sdx/util/enum_text.h"

namespace sdx {

std::string list_choices(const std::vector<std::string>& texts) {
  std::string list;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (i > 0) list += i + 1 == texts.size() ? " or " : ", ";
    list += texts[i];
  }
  return list;
}

}  // namespace sdx
