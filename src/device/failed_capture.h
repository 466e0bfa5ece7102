#pragma once

#include <c10/util/Exception.h>

namespace sdx {

/// Takes from an allocator what a failed capture left in it. How much that is depends on libtorch:
/// before 2.12 the allocator stays in the capture for ever and frees nothing for an allocation that
/// fails, before 2.14 the pool stays in use, later nothing is left. So this looks instead of
/// knowing.
/// @param pool        with `end()`, which ends the allocator's part in a capture and throws
///                    c10::Error if it has none; `count_uses()`, 0 for a pool that is gone; and
///                    `release()`, which ends one use.
/// @param uses_before of the pool, when the capture began.
template <typename Pool>
void release_failed_capture(Pool&& pool, int uses_before) {
  try {
    pool.end();
  } catch (const c10::Error&) {
    // It has ended already.
  }
  while (pool.count_uses() > uses_before) pool.release();
}

}  // namespace sdx
