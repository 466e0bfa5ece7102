#include "sdx/util/file.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <string>

#include "sdx/util/error.h"
#include "support/catch.h"
#include "support/child.h"
#include "support/temp_folder.h"
#include "support/throws.h"

using namespace sdx;
using sdx::test::become_nobody;
using sdx::test::catch_message;
using sdx::test::contains;
using sdx::test::entries_in;
using sdx::test::read_bytes;
using sdx::test::run_for_exit_code;
using sdx::test::TempFolder;

namespace fs = std::filesystem;

namespace {

fs::path make_fifo(const TempFolder& folder) {
  REQUIRE(::mkfifo(folder.file("fifo").c_str(), 0600) == 0);
  return folder.file("fifo");
}

unsigned read_mode(const fs::path& path) {
  return static_cast<unsigned>(fs::status(path).permissions());
}

void limit_file_size(rlim_t bytes) {
  std::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{bytes, bytes};
  if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) throw std::runtime_error("setrlimit");
}

/// Nobody can get to what is in the folder, but not change it.
void open_to_all(const TempFolder& folder) { fs::permissions(folder.path(), fs::perms(0755)); }

}  // namespace

// ---- read_file

TEST_CASE("util: read_file gives the bytes", "[util]") {
  const TempFolder folder;
  const std::string bytes("a\0b\r\n\xFF", 6);
  CHECK(read_file(folder.file("a", bytes)) == bytes);
  CHECK(read_file(folder.file("empty", "")).empty());
  const std::string long_text(300000, 'x');
  CHECK(read_file(folder.file("long", long_text)) == long_text);
}

TEST_CASE("util: read_file_start gives the first bytes", "[util]") {
  const TempFolder folder;
  const auto path = folder.file("f", "0123456789");
  CHECK(read_file_start(path, 4) == "0123");
  CHECK(read_file_start(path, 10) == "0123456789");
  CHECK(read_file_start(path, 12) == "0123456789");
  CHECK(read_file_start("/proc/self/stat", 1).size() == 1);
  CHECK_THROWS_AS(read_file_start(folder.file("absent"), 4), MissingInputError);
  CHECK_THROWS_AS(read_file_start(make_fifo(folder), 4), DataError);
  // A process's memory has no page at 0.
  CHECK_THROWS_AS(read_file_start("/proc/self/mem", 4), IoError);
}

TEST_CASE("util: read_file reads files that do not know their size", "[util]") {
  CHECK(contains(read_file("/proc/self/status"), "VmPeak"));
}

TEST_CASE("util: read_file follows a link to a file", "[util]") {
  const TempFolder folder;
  folder.file("a", "text");
  fs::create_symlink("a", folder.file("link"));
  CHECK(read_file(folder.file("link")) == "text");
}

TEST_CASE("util: read_file names what is missing", "[util]") {
  const TempFolder folder;
  CHECK(contains(catch_message<MissingInputError>([&] { read_file(folder.file("no")); }),
                 folder.file("no").string()));
}

TEST_CASE("util: read_file refuses what is not a regular file, without hanging", "[util]") {
  const TempFolder folder;
  const fs::path fifo = make_fifo(folder);
  CHECK(catch_message<DataError>([&] { read_file(fifo); }) ==
        fifo.string() + ": is a pipe (FIFO), not a regular file");
  CHECK(contains(catch_message<DataError>([&] { read_file(folder.path()); }), "is a folder"));
  CHECK(contains(catch_message<DataError>([] { read_file("/dev/zero"); }), "is a device"));

  const int descriptor = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  const std::string name = folder.file("socket").string();
  REQUIRE(name.size() < sizeof(address.sun_path));
  std::copy(name.begin(), name.end(), address.sun_path);
  REQUIRE(::bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
  CHECK(contains(catch_message<DataError>([&] { read_file(name); }), "is a socket"));
  ::close(descriptor);
}

TEST_CASE("util: read_file refuses a file that is too large", "[util]") {
  const TempFolder folder;
  const fs::path path = folder.file("a", "12345678");
  CHECK(read_file(path, 8) == "12345678");
  CHECK(contains(catch_message<DataError>([&] { read_file(path, 7); }), "larger than the 7 bytes"));
  // One that does not tell its size.
  CHECK_THROWS_AS(read_file("/proc/self/status", 10), DataError);
}

TEST_CASE("util: read_file without the right to is a matter of permission", "[util]") {
  const TempFolder folder;
  const fs::path path = folder.file("a", "text");
  open_to_all(folder);
  fs::permissions(path, fs::perms::none);
  CHECK(run_for_exit_code([&] {
          become_nobody();
          read_file(path);
          return 0;
        }) == 77);
}

TEST_CASE("util: read_file reports a failing read", "[util]") {
  // Reading the memory of the own process at address 0 fails with EIO.
  CHECK_THROWS_AS(read_file("/proc/self/mem"), IoError);
}

// ---- MappedFile

TEST_CASE("util: a file that is created replaces nothing") {
  const TempFolder folder;
  const fs::path path = folder.path() / "one";
  CHECK(sdx::create_file_atomically(path, "first"));
  CHECK_FALSE(sdx::create_file_atomically(path, "second"));
  CHECK(sdx::read_file(path) == "first");
  fs::create_symlink(folder.path() / "nowhere", folder.path() / "link");
  CHECK_FALSE(sdx::create_file_atomically(folder.path() / "link", "second"));
  CHECK(fs::is_symlink(folder.path() / "link"));
  CHECK(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()) == 2);
}

TEST_CASE("util: a mapped file shows the bytes, and changes stay in memory", "[util]") {
  const TempFolder folder;
  const fs::path path = folder.file("a", "text");
  const auto mapped = MappedFile::open(path);
  REQUIRE(mapped->bytes().size() == 4);
  CHECK(mapped->bytes()[1] == std::byte{'e'});
  mapped->bytes()[1] = std::byte{'E'};
  CHECK(mapped->bytes()[1] == std::byte{'E'});
  CHECK(read_bytes(path) == "text");
}

TEST_CASE("util: a mapped file outlives its name", "[util]") {
  const TempFolder folder;
  const fs::path path = folder.file("a", "text");
  const auto mapped = MappedFile::open(path);
  fs::remove(path);
  CHECK(mapped->bytes()[3] == std::byte{'t'});
}

TEST_CASE("util: an empty file can be mapped", "[util]") {
  const TempFolder folder;
  CHECK(MappedFile::open(folder.file("a", ""))->bytes().empty());
}

TEST_CASE("util: mapping fails as reading does", "[util]") {
  const TempFolder folder;
  CHECK_THROWS_AS(MappedFile::open(folder.file("no")), MissingInputError);
  CHECK_THROWS_AS(MappedFile::open(make_fifo(folder)), DataError);
  CHECK_THROWS_AS(MappedFile::open(folder.path()), DataError);
  CHECK_THROWS_AS(MappedFile::open("/dev/zero"), DataError);
  const fs::path path = folder.file("a", "text");
  open_to_all(folder);
  fs::permissions(path, fs::perms::none);
  CHECK(run_for_exit_code([&] {
          become_nobody();
          MappedFile::open(path);
          return 0;
        }) == 77);
}

// ---- AtomicFile

TEST_CASE("util: an atomic file appears with commit() and is private", "[util]") {
  const TempFolder folder;
  const fs::path path = folder.file("a");
  AtomicFile file(path);
  file.write("one ");
  const std::string two = "two";
  file.write(std::as_bytes(std::span(two)));
  CHECK_FALSE(fs::exists(path));
  CHECK(entries_in(folder.path()) == 1);  // the temporary file, beside it
  file.commit();
  CHECK(read_bytes(path) == "one two");
  CHECK(read_mode(path) == 0600);
  CHECK(entries_in(folder.path()) == 1);
}

TEST_CASE("util: without commit() the older file stays, and nothing else", "[util]") {
  const TempFolder folder;
  const fs::path path = folder.file("a", "old");
  {
    AtomicFile file(path);
    file.write("new");
  }
  CHECK(read_bytes(path) == "old");
  CHECK(entries_in(folder.path()) == 1);
}

TEST_CASE("util: commit() replaces the older file", "[util]") {
  const TempFolder folder;
  const fs::path path = folder.file("a", "a longer old text");
  write_file_atomically(path, "new");
  CHECK(read_bytes(path) == "new");
  CHECK(entries_in(folder.path()) == 1);
}

TEST_CASE("util: two atomic files for one path do not touch each other", "[util]") {
  const TempFolder folder;
  const fs::path path = folder.file("a");
  AtomicFile first(path);
  AtomicFile second(path);
  first.write("first");
  second.write("second");
  second.commit();
  CHECK(read_bytes(path) == "second");
  first.commit();
  CHECK(read_bytes(path) == "first");
}

TEST_CASE("util: a killed process leaves the older file, and is no hindrance", "[util]") {
  const TempFolder folder;
  const fs::path path = folder.file("a", "old");
  CHECK(run_for_exit_code([&]() -> int {
          AtomicFile file(path);
          file.write("new");
          ::kill(::getpid(), SIGKILL);
          return 0;
        }) == 1000 + SIGKILL);
  CHECK(read_bytes(path) == "old");
  write_file_atomically(path, "new");
  CHECK(read_bytes(path) == "new");
}

TEST_CASE("util: a left-over of the same process number is no hindrance", "[util]") {
  const TempFolder folder;
  // In a child, so that both sides count from the same number.
  const fs::path path = folder.file("a");
  CHECK(run_for_exit_code([&] {
          fs::path left_over;
          {
            const AtomicFile file(path);
            left_over = fs::directory_iterator(folder.path())->path();
          }
          // The names that come next are taken already.
          const std::string name = left_over.filename().string();
          const std::size_t dash = name.rfind('-');
          const int number = std::stoi(name.substr(dash + 1));
          for (int next = number + 1; next < number + 4; ++next) {
            folder.file(name.substr(0, dash + 1) + std::to_string(next) + ".tmp", "left over");
          }
          write_file_atomically(path, "new");
          return read_bytes(path) == "new" && entries_in(folder.path()) == 4 ? 5 : 6;
        }) == 5);
}

TEST_CASE("util: an atomic file may have a long name", "[util]") {
  const TempFolder folder;
  const std::string name(255, 'n');
  write_file_atomically(folder.file(name), "text");
  CHECK(read_bytes(folder.file(name)) == "text");
}

TEST_CASE("util: an atomic file may lie in the current folder", "[util]") {
  const TempFolder folder;
  CHECK(run_for_exit_code([&] {
          fs::current_path(folder.path());
          write_file_atomically("a", "text");
          return 5;
        }) == 5);
  CHECK(read_bytes(folder.file("a")) == "text");
}

TEST_CASE("util: an atomic file that cannot be made is refused at once", "[util]") {
  const TempFolder folder;
  CHECK(contains(catch_message<CannotCreateError>([&] { AtomicFile file(folder.file("no/a")); }),
                 folder.file("no/a").string()));
  folder.file("file", "text");
  CHECK_THROWS_AS(AtomicFile(folder.file("file/a")), CannotCreateError);
  CHECK_THROWS_AS(AtomicFile(fs::path()), CannotCreateError);
  CHECK_THROWS_AS(AtomicFile(folder.file("file/")), CannotCreateError);
}

TEST_CASE("util: an atomic file never replaces a folder or a device", "[util]") {
  const TempFolder folder;
  fs::create_directory(folder.file("sub"));
  CHECK_THROWS_AS(AtomicFile(folder.file("sub")), CannotCreateError);
  CHECK_THROWS_AS(AtomicFile("/dev/null"), CannotCreateError);
  CHECK_THROWS_AS(AtomicFile(make_fifo(folder)), CannotCreateError);
  CHECK(entries_in(folder.path()) == 2);
}

TEST_CASE("util: an atomic file replaces a link and leaves its target", "[util]") {
  const TempFolder folder;
  folder.file("target", "old");
  fs::create_symlink("target", folder.file("link"));
  write_file_atomically(folder.file("link"), "new");
  CHECK(read_bytes(folder.file("target")) == "old");
  CHECK(read_bytes(folder.file("link")) == "new");
  CHECK_FALSE(fs::is_symlink(folder.file("link")));
}

TEST_CASE("util: an atomic file in a read-only folder is a matter of permission", "[util]") {
  const TempFolder folder;
  open_to_all(folder);
  CHECK(run_for_exit_code([&] {
          become_nobody();
          write_file_atomically(folder.file("a"), "text");
          return 0;
        }) == (::geteuid() == 0 ? 77 : 0));
}

TEST_CASE("util: a write that fails half-way leaves the older file", "[util]") {
  const TempFolder folder;
  const fs::path path = folder.file("a", "old");
  // A limit of the file size fails like a full disk: first a short write, then an error.
  CHECK(run_for_exit_code([&] {
          limit_file_size(4096);
          write_file_atomically(path, std::string(100000, 'x'));
          return 0;
        }) == 74);
  CHECK(read_bytes(path) == "old");
  CHECK(entries_in(folder.path()) == 1);
  CHECK(run_for_exit_code([&] {
          limit_file_size(4096);
          const std::string message =
              catch_message<IoError>([&] { write_file_atomically(path, std::string(5000, 'x')); });
          return contains(message, path.string()) && contains(message, "untouched") ? 5 : 6;
        }) == 5);
}

TEST_CASE("util: after a failed write nothing can be committed", "[util]") {
  const TempFolder folder;
  const fs::path path = folder.file("a", "old");
  CHECK(run_for_exit_code([&] {
          limit_file_size(4096);
          AtomicFile file(path);
          try {
            file.write(std::string(5000, 'x'));
          } catch (const IoError&) {
            file.commit();
          }
          return 0;
        }) == 70);
  CHECK(read_bytes(path) == "old");
  CHECK(entries_in(folder.path()) == 1);
}

TEST_CASE("util: an atomic file ends with commit()", "[util]") {
  const TempFolder folder;
  AtomicFile file(folder.file("a"));
  file.commit();
  CHECK_THROWS_AS(file.write("more"), InternalError);
  CHECK_THROWS_AS(file.commit(), InternalError);
  CHECK(read_bytes(folder.file("a")).empty());
}

TEST_CASE("util: a full disk is named as such and leaves the older file", "[util]") {
  const TempFolder folder;
  constexpr int kCannotMount = 3;
  const int code = run_for_exit_code([&] {
    // A disk of 64 KiB that only this child sees.
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", folder.path().c_str(), "tmpfs", 0, "size=64k") != 0) {
      return kCannotMount;
    }
    const fs::path path = folder.file("a", "old");
    const std::string message =
        catch_message<IoError>([&] { write_file_atomically(path, std::string(1000000, 'x')); });
    return contains(message, "disk full") && contains(message, path.string()) &&
                   read_bytes(path) == "old" && entries_in(folder.path()) == 1
               ? 5
               : 6;
  });
  if (code == kCannotMount) {
    WARN("skipped: a small disk cannot be mounted without more rights");
  } else {
    CHECK(code == 5);
  }
}

TEST_CASE("util: commit() that may not replace the older file says so", "[util]") {
  const TempFolder folder;
  if (::geteuid() != 0) {
    WARN("skipped: needs root, to make a file of another user");
    return;
  }
  // In a folder with the sticky bit, like /tmp, another user's file stays his.
  fs::permissions(folder.path(), fs::perms(01777));
  const fs::path path = folder.file("a", "old");
  CHECK(run_for_exit_code([&] {
          become_nobody();
          write_file_atomically(path, "new");
          return 0;
        }) == 77);
  CHECK(read_bytes(path) == "old");
  CHECK(entries_in(folder.path()) == 1);
}

// ---- prepare_output_folder

TEST_CASE("util: an output folder is made with its parents, private and empty", "[util]") {
  const TempFolder folder;
  const fs::path made = folder.file("one") / "two" / "three";
  prepare_output_folder(made);
  CHECK(entries_in(made) == 0);
  CHECK(read_mode(made) == 0700);
  CHECK(read_mode(made.parent_path()) == 0700);
  prepare_output_folder(made);
  prepare_output_folder(folder.path().string() + "/one/");
  CHECK(entries_in(folder.file("one")) == 1);
}

TEST_CASE("util: an existing output folder keeps its mode and its files", "[util]") {
  const TempFolder folder;
  fs::permissions(folder.path(), fs::perms(0750));
  folder.file("a", "text");
  prepare_output_folder(folder.path());
  CHECK(read_mode(folder.path()) == 0750);
  CHECK(entries_in(folder.path()) == 1);
}

TEST_CASE("util: an output folder under a file or at a file cannot be made", "[util]") {
  const TempFolder folder;
  const fs::path file = folder.file("file", "text");
  const std::string message =
      catch_message<CannotCreateError>([&] { prepare_output_folder(file / "sub"); });
  CHECK(contains(message, (file / "sub").string()));
  CHECK(contains(message, file.string() + " is a file"));
  CHECK_THROWS_AS(prepare_output_folder(file), CannotCreateError);
  CHECK_THROWS_AS(prepare_output_folder(""), CannotCreateError);
  fs::create_symlink("nowhere", folder.file("dangling"));
  CHECK_THROWS_AS(prepare_output_folder(folder.file("dangling")), CannotCreateError);
  CHECK_THROWS_AS(prepare_output_folder(folder.file(std::string(300, 'n'))), CannotCreateError);
}

TEST_CASE("util: an output folder without the right to write is a matter of permission", "[util]") {
  const TempFolder folder;
  const fs::path closed = folder.file("closed");
  fs::create_directory(closed);
  open_to_all(folder);
  fs::permissions(closed, fs::perms(0555));
  const auto code_for = [](const fs::path& path) {
    return run_for_exit_code([&path] {
      become_nobody();
      prepare_output_folder(path);
      return 0;
    });
  };
  CHECK(code_for(closed) == 77);
  CHECK(code_for(closed / "sub") == 77);
  fs::permissions(closed, fs::perms(0777));
  CHECK(code_for(closed / "sub") == 0);
}
