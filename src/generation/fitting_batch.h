#pragma once

namespace sdx {

/// The largest batch of `useful`, half of it, a quarter … that fits: always the same ones, as the
/// batch decides a picture's last bits.
/// @param useful      pictures, 1 or more.
/// @param image_bytes that an evaluation of the UNet for one picture takes.
/// @return            1 also where not even one fits.
inline int fitting_batch(int useful, double image_bytes, double bytes) {
  int batch = useful;
  while (batch > 1 && batch * image_bytes > bytes) batch /= 2;
  return batch;
}

}  // namespace sdx
