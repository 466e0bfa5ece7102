#include "sdx/util/error.h"

#include <cerrno>

#include "support/catch.h"
#include "support/throws.h"

using namespace sdx;
using sdx::test::contains;
using sdx::test::message_of;

TEST_CASE("util: each kind of error has its exit code", "[util]") {
  const auto code_of = [](const Error& error) { return static_cast<int>(error.exit_code()); };
  CHECK(code_of(UsageError("")) == 64);
  CHECK(code_of(DataError("")) == 65);
  CHECK(code_of(MissingInputError("")) == 66);
  CHECK(code_of(UnavailableError("")) == 69);
  CHECK(code_of(InternalError("")) == 70);
  CHECK(code_of(CannotCreateError("")) == 73);
  CHECK(code_of(IoError("")) == 74);
  CHECK(code_of(TryAgainError("")) == 75);
  CHECK(code_of(PermissionError("")) == 77);
  CHECK(code_of(ConfigError("")) == 78);
  CHECK(code_of(Error(ExitCode::kInterrupted, "")) == 130);
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
  CHECK(message_of<IoError>([&] { fail_with(EIO); }) ==
        "cannot read /some/file: Input/output error");
}
