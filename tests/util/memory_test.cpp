#include "sdx/util/memory.h"

#include <unistd.h>

#include <memory>
#include <vector>

#include "sdx/util/error.h"
#include "support/temp_folder.h"
#include "support/throws.h"

#include "support/catch.h"

namespace fs = std::filesystem;
using sdx::available_memory_bytes;
using sdx::test::TempFolder;

namespace {

constexpr std::int64_t kGiB = std::int64_t{1} << 30;

/// A root folder whose kernel says that 8 GiB are available.
class FakeSystem {
 public:
  FakeSystem() { write("proc/meminfo", "MemTotal: 99 kB\nMemAvailable:    8388608 kB\n"); }

  void write(const std::string& path, const std::string& content) const {
    fs::create_directories((folder_.path() / path).parent_path());
    folder_.file(path, content);
  }
  const fs::path& root() const { return folder_.path(); }

 private:
  TempFolder folder_;
};

}  // namespace

TEST_CASE("util: without limits the kernel's estimate is what can be had", "[util]") {
  const FakeSystem system;
  CHECK(available_memory_bytes(system.root()) == 8 * kGiB);
  system.write("proc/self/cgroup", "0::/\n");
  system.write("sys/fs/cgroup/memory.max", "max\n");
  system.write("sys/fs/cgroup/memory.current", "1073741824\n");
  CHECK(available_memory_bytes(system.root()) == 8 * kGiB);
}

TEST_CASE("util: the narrowest group around the process limits its memory", "[util]") {
  const FakeSystem system;
  system.write("proc/self/cgroup", "0::/job/step\n");
  system.write("sys/fs/cgroup/job/memory.max", "4294967296\n");
  system.write("sys/fs/cgroup/job/memory.current", "3221225472\n");
  CHECK(available_memory_bytes(system.root()) == kGiB);
  system.write("sys/fs/cgroup/job/memory.stat", "anon 5\ninactive_file 1073741824\n");
  CHECK(available_memory_bytes(system.root()) == 2 * kGiB);
  system.write("sys/fs/cgroup/job/step/memory.max", "1000\n");
  system.write("sys/fs/cgroup/job/step/memory.current", "2000\n");
  CHECK(available_memory_bytes(system.root()) == 0);
}

TEST_CASE("util: limits of the first version of control groups count too", "[util]") {
  const FakeSystem system;
  system.write("proc/self/cgroup", "4:memory:/slurm\n3:cpu:/other\n");
  system.write("sys/fs/cgroup/memory/slurm/memory.limit_in_bytes", "2147483648\n");
  system.write("sys/fs/cgroup/memory/slurm/memory.usage_in_bytes", "1073741824\n");
  CHECK(available_memory_bytes(system.root()) == kGiB);
}

TEST_CASE("util: a system that does not say its free memory is an error", "[util]") {
  const TempFolder folder;
  const std::string message = sdx::test::catch_message<sdx::UnavailableError>(
      [&] { available_memory_bytes(folder.path()); });
  CHECK(sdx::test::contains(message, "proc/meminfo"));
}

TEST_CASE("util: this machine says its free memory, and what this process holds", "[util]") {
  CHECK(available_memory_bytes() > 0);
  const std::int64_t before = sdx::resident_memory_bytes();
  const std::vector<char> block(64 << 20, 'x');
  CHECK(sdx::resident_memory_bytes() - before > (48 << 20));
}

TEST_CASE("util: freed memory is kept until it is given back", "[util][needs-malloc]") {
#if defined(__SANITIZE_ADDRESS__)
  SDX_SKIP("the sanitizer has a malloc of its own");
#else
  // After many other tests malloc may serve this thread from an arena that cannot grow by as much.
  const auto small = std::make_unique<char[]>(5000);
  if (static_cast<void*>(small.get()) > ::sbrk(0)) {
    SDX_SKIP("malloc serves this thread from one of its smaller arenas");
  }
  constexpr std::size_t kBytes = std::size_t{1} << 27;
  constexpr std::int64_t kMost = kBytes / 4;
  const auto use_and_free = [] { std::vector<char> block(kBytes, 'x'); };
  sdx::FreedMemory memory;
  memory.keep();
  memory.give_back();  // what other tests have freed
  const std::int64_t before = sdx::resident_memory_bytes();
  {
    sdx::FreedMemory until_the_end;
    until_the_end.keep();
    use_and_free();
    CHECK(sdx::resident_memory_bytes() > before + kMost);
    until_the_end.give_back();
    CHECK(sdx::resident_memory_bytes() < before + kMost);
    until_the_end.keep();
    use_and_free();
  }
  use_and_free();
  CHECK(sdx::resident_memory_bytes() < before + kMost);
#endif
}
