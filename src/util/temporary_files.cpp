#include "util/temporary_files.h"

#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>

namespace sdx {
namespace {

constexpr std::size_t kMostFiles = 64;
constexpr std::size_t kMostBytes = 4096;  // PATH_MAX of Linux, with the NUL at the end

enum State : int { kFree, kBeingWritten, kUsed };

struct Slot {
  std::atomic<int> state{kFree};
  std::array<char, kMostBytes> path{};
};
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may not take a lock");

std::array<Slot, kMostFiles> g_slots;

}  // namespace

void remember_temporary_file(const std::filesystem::path& path) {
  const std::string& text = path.native();
  if (text.size() >= kMostBytes) return;
  for (Slot& slot : g_slots) {
    int expected = kFree;
    if (!slot.state.compare_exchange_strong(expected, kBeingWritten)) continue;
    std::memcpy(slot.path.data(), text.c_str(), text.size() + 1);
    slot.state.store(kUsed);
    return;
  }
}

void forget_temporary_file(const std::filesystem::path& path) {
  // No other thread has this name: whoever remembered it is the one who forgets it.
  for (Slot& slot : g_slots) {
    if (slot.state.load() == kUsed && path.native() == slot.path.data()) slot.state.store(kFree);
  }
}

void remove_temporary_files() {
  for (const Slot& slot : g_slots) {
    if (slot.state.load() == kUsed) ::unlink(slot.path.data());
  }
}

}  // namespace sdx
