#include "training/portrait_sheet.h"

#include "sdx/image/contact_sheet.h"
#include "sdx/image/png.h"
#include "sdx/util/file.h"
#include "sdx/util/json.h"

namespace sdx {

void write_portrait_sheet(const std::vector<Portrait>& portraits,
                          const std::vector<std::string>& prompts,
                          const std::filesystem::path& folder) {
  std::vector<SheetCell> cells;
  for (const Portrait& portrait : portraits) {
    if (portrait.used()) cells.push_back({portrait.image, portrait.file.filename().string()});
  }
  const ContactSheet sheet = draw_contact_sheet(cells);
  Json places = Json::array();
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const Rect& at = sheet.places[i];
    places.push_back(
        {{"file", cells[i].label}, {"place", {at.x_px, at.y_px, at.width_px, at.height_px}}});
  }
  write_png(folder / "portraits.png", sheet.image);
  const Json sheets = {{"portraits", std::move(places)}, {"previews", prompts}};
  write_file_atomically(folder / "sheets.json",
                        sheets.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace sdx
