#pragma once

#include <cstddef>
#include <vector>

#include "sdx/dataset/portraits.h"
#include "sdx/image/identity.h"

namespace sdx {

/// Flags the used pictures that show someone other than most pictures do. A stray is less like at
/// least half of the others than two pictures of one person are. (The test takes the median of the
/// cosines, as strays would move a mean.) Nothing is flagged where most pairs of pictures are
/// unlike, because the encoder does not know such faces, or where there are fewer than four faces.
/// @param portraits those without an identity are encoded.
/// @return the flagged pictures' places in `portraits`.
std::vector<std::size_t> flag_strays(std::vector<Portrait>& portraits,
                                     const IdentityEncoder& encoder);

}  // namespace sdx
