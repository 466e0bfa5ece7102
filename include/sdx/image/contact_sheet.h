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

}  // namespace sdx
