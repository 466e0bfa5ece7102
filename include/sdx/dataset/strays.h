#pragma once

#include <cstddef>
#include <vector>

#include "sdx/dataset/portraits.h"
#include "sdx/image/identity.h"

namespace sdx {

/// Flags the used pictures that show someone else than most do: half of the others or more are less
/// like them than two pictures of one person are. (The median of cosines, as a mean would be moved
/// by the strays themselves.) Where most pairs of pictures are unlike, the encoder does not know
/// such faces, and nothing is flagged; neither with fewer than four faces.
/// @param portraits those without an identity are encoded.
/// @return the flagged pictures' places in `portraits`.
std::vector<std::size_t> flag_strays(std::vector<Portrait>& portraits,
                                     const IdentityEncoder& encoder);

}  // namespace sdx
