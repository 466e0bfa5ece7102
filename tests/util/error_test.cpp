#include "sdx/util/error.h"

#include <cerrno>

#include "support/catch.h"
#include "support/throws.h"

using namespace sdx;
using sdx::test::catch_message;
using sdx::test::contains;

TEST_CASE("util: each kind of error has its exit code", "[util]") {
  const auto catch_code = [](const Error& error) { return static_cast<int>(error.exit_code()); };
  CHECK(catch_code(UsageError("")) == 64);
  CHECK(catch_code(DataError("")) == 65);
  CHECK(catch_code(MissingInputError("")) == 66);
  CHECK(catch_code(UnavailableError("")) == 69);
  CHECK(catch_code(InternalError("")) == 70);
  CHECK(catch_code(CannotCreateError("")) == 73);
  CHECK(catch_code(IoError("")) == 74);
  CHECK(catch_code(TryAgainError("")) == 75);
  CHECK(catch_code(PermissionError("")) == 77);
  CHECK(catch_code(ConfigError("")) == 78);
  CHECK(catch_code(Error(ExitCode::kInterrupted, "")) == 130);
}

TEST_CASE("util: a failed system call becomes the error that fits", "[util]") {
  const auto fail_with = [](int number) { throw_errno(number, "read", "/some/file"); };
  CHECK_THROWS_AS(fail_with(ENOENT), MissingInputError);
  CHECK_THROWS_AS(fail_with(EACCES), PermissionError);
  CHECK_THROWS_AS(fail_with(EPERM), PermissionError);
  CHECK_THROWS_AS(fail_with(EROFS), PermissionError);
  CHECK_THROWS_AS(fail_with(ENOMEM), TryAgainError);
  CHECK_THROWS_AS(fail_with(EIO), IoError);
  CHECK_THROWS_AS(fail_with(ENOSPC), IoError);
  CHECK(catch_message<IoError>([&] { fail_with(EIO); }) ==
        "cannot read /some/file: Input/output error");
}
