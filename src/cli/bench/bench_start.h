#pragma once

#include "sdx/device/device.h"
#include "sdx/generation/settings.h"
#include "sdx/model/bundle.h"
#include "sdx/util/json.h"

namespace sdx {

/// Seconds since the system started this process, to a hundredth: what its libraries took to load
/// is in it. Linux only.
double process_age_seconds();

/// Makes a picture up to its second step, as sdx-generate does, and tells the process's age at the
/// moment when the UNet began ("seconds": its first convolution, the first of all), and how long
/// the first and the second step took: what only the first one does shows there.
/// @throws InternalError if no convolution was seen.
Json measure_start(const Bundle& bundle, const ComputeTarget& target, ImageRequest request);

}  // namespace sdx
