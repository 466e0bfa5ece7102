#include "sdx/util/sha256.h"

#include <array>
#include <string>

#include "sdx/util/error.h"
#include "support/temp_folder.h"

#include "support/catch.h"

using namespace sdx;

// The examples of FIPS 180-4 (NIST's "SHA256.pdf" and SHAVS): "abc", two blocks, a million a's.
TEST_CASE("util: SHA-256 gives the known answers", "[util]") {
  CHECK(sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(sha256_hex(std::string(1000000, 'a')) ==
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("util: SHA-256 of bytes counts a NUL like any other", "[util]") {
  constexpr std::array<std::byte, 3> kBytes = {std::byte{'a'}, std::byte{0}, std::byte{'b'}};
  CHECK(sha256_hex(kBytes) == sha256_hex(std::string_view("a\0b", 3)));
  CHECK(sha256_hex(kBytes) != sha256_hex("a"));
}

TEST_CASE("util: SHA-256 of a file is that of its bytes, over several pieces", "[util]") {
  const sdx::test::TempFolder folder;
  std::string bytes((std::size_t{5} << 19U) + 3, 'x');
  bytes.back() = 'y';
  CHECK(sha256_of_file(folder.file("long", bytes)) == sha256_hex(bytes));
  CHECK(sha256_of_file(folder.file("empty", "")) == sha256_hex(""));
  CHECK_THROWS_AS(sha256_of_file(folder.path() / "absent"), MissingInputError);
  CHECK_THROWS_AS(sha256_of_file(folder.path()), DataError);
}
