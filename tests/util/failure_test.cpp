#include "sdx/util/failure.h"

#include <c10/util/Exception.h>

#include <filesystem>
#include <new>
#include <system_error>

#include "support/catch.h"

using Catch::Matchers::ContainsSubstring;
using sdx::ExitCode;

namespace {

sdx::Failure failure_from(const std::exception_ptr& exception) {
  return sdx::to_failure(exception);
}

}  // namespace

TEST_CASE("util: any exception becomes a code and a text", "[util]") {
  const sdx::Failure ours = failure_from(std::make_exception_ptr(sdx::DataError("no picture")));
  CHECK(ours.code == ExitCode::kData);
  CHECK(ours.text == "no picture");
  const sdx::Failure memory = failure_from(std::make_exception_ptr(std::bad_alloc()));
  CHECK(memory.code == ExitCode::kTryAgain);
  CHECK_THAT(memory.text, ContainsSubstring("`batch`"));
  CHECK(failure_from(std::make_exception_ptr(std::runtime_error("x"))).code == ExitCode::kInternal);
  try {
    TORCH_CHECK(false, "shapes differ");
  } catch (const std::exception&) {
    const sdx::Failure torch = failure_from(std::current_exception());
    CHECK(torch.code == ExitCode::kInternal);
    CHECK_THAT(torch.text, ContainsSubstring("shapes differ"));
    CHECK(torch.text.find("frame #") == std::string::npos);
  }
}

TEST_CASE("util: what the system refuses has the code of its kind", "[util]") {
  const auto fail = [](std::errc code) {
    return failure_from(std::make_exception_ptr(std::filesystem::filesystem_error(
        "directory iterator cannot open directory", "locked/ada", std::make_error_code(code))));
  };
  CHECK(fail(std::errc::permission_denied).code == ExitCode::kPermission);
  CHECK(fail(std::errc::permission_denied).text == "cannot get at locked/ada: Permission denied");
  CHECK(fail(std::errc::no_such_file_or_directory).code == ExitCode::kMissingInput);
  CHECK(fail(std::errc::no_space_on_device).code == ExitCode::kIo);
  CHECK(fail(std::errc::filename_too_long).code == ExitCode::kUsage);
  CHECK(fail(std::errc::too_many_files_open).code == ExitCode::kTryAgain);
  // What std::thread throws where no more threads are allowed.
  CHECK(failure_from(std::make_exception_ptr(std::system_error(
                         std::make_error_code(std::errc::resource_unavailable_try_again))))
            .code == ExitCode::kTryAgain);
  CHECK(failure_from(std::make_exception_ptr(std::runtime_error("could not create a primitive")))
            .code == ExitCode::kTryAgain);
}

TEST_CASE("util: memory that ran out is known by what libtorch says", "[util]") {
  const auto catch_text = [](const char* message) {
    return sdx::out_of_memory(std::runtime_error(message)).value_or("");
  };
  CHECK(catch_text("RuntimeError: CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has") ==
        "out of memory (2.50 GiB more were wanted); a smaller `size` or `batch` needs less, and "
        "`memory` low in training");
  CHECK_THAT(
      catch_text("DefaultCPUAllocator: can't allocate memory: you tried to allocate 58982400 "
                 "bytes. Error code 12 (Cannot allocate memory)\n"),
      ContainsSubstring("(58982400 bytes more were wanted)"));
  CHECK_THAT(catch_text("out of memory"), ContainsSubstring("out of memory; a smaller"));
  CHECK(catch_text("shapes differ").empty());
}

TEST_CASE("util: a retry makes sense for what may pass by itself", "[util]") {
  CHECK(sdx::may_pass(ExitCode::kTryAgain));
  CHECK(sdx::may_pass(ExitCode::kIo));
  CHECK_FALSE(sdx::may_pass(ExitCode::kMissingInput));
  CHECK_FALSE(sdx::may_pass(ExitCode::kConfig));
}
