#pragma once

#include <string>
#include <vector>

#include "sdx/image/image.h"

namespace sdx {

struct SheetCell {
  Image image;
  std::string label;  ///< under the picture, UTF-8; wrapped at words to at most two lines, then "…"
};

/// All pictures side by side, `columns` to a row (0: as square as it gets), each in a cell of
/// `cell_px` pixels' width with its label below, on a light ground. Smaller pictures are enlarged
/// to the cell without smoothing away their character; the aspect ratio is kept.
Image contact_sheet(const std::vector<SheetCell>& cells, int columns = 0, int cell_px = 256);

/// A sheet, and where its pictures lie in it.
struct ContactSheet {
  Image image;
  std::vector<Rect> places;  ///< of the pictures without their labels, one for each cell
};

/// As contact_sheet(), and says where the pictures are.
ContactSheet draw_contact_sheet(const std::vector<SheetCell>& cells, int columns = 0,
                                int cell_px = 256);

/// Where the picture of cell `index` lies in a sheet of square pictures that has one row, or whose
/// first row has it.
Rect place_in_first_row(int index, int cell_px = 256);

}  // namespace sdx
