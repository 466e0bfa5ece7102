#include "device/failed_capture.h"

#include "support/catch.h"

namespace {

/// The part of libtorch's allocator, with what a failed capture may leave in it.
struct FakePool {
  bool is_capturing = false;
  int uses = 0;

  void end() {
    TORCH_CHECK(is_capturing, "endAllocatePool: not currently recording to mempool_id");
    is_capturing = false;
  }
  int count_uses() const { return uses; }
  void release() {
    REQUIRE(uses > 0);
    --uses;
  }
};

}  // namespace

TEST_CASE("device: whatever a failed capture leaves in the allocator goes", "[device]") {
  // A backward graph lies in the pool of its forward graph, which goes on living.
  for (const int before : {0, 1}) {
    for (const FakePool left : {FakePool{true, before + 1},   // libtorch 2.11
                                FakePool{false, before + 1},  // 2.12, 2.13
                                FakePool{false, before},      // later
                                FakePool{true, before}}) {
      FakePool pool = left;
      sdx::release_failed_capture(pool, before);
      CHECK_FALSE(pool.is_capturing);
      CHECK(pool.uses == before);
    }
  }
}
