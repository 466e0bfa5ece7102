#include "sdx/util/lock.h"

#include <unistd.h>

#include <memory>

#include "sdx/util/error.h"
#include "support/temp_folder.h"

#include "support/catch.h"

using Catch::Matchers::ContainsSubstring;

TEST_CASE("lock: the second to come is told who holds it, and gets it afterwards", "[util]") {
  const sdx::test::TempFolder folder;
  const auto file = folder.path() / ".lock";
  auto first = std::make_unique<sdx::FileLock>(file, "runs/Ada");
  CHECK_THROWS_AS(sdx::FileLock(file, "runs/Ada"), sdx::TryAgainError);
  CHECK_THROWS_WITH(sdx::FileLock(file, "runs/Ada"),
                    ContainsSubstring("runs/Ada") && ContainsSubstring(std::to_string(getpid())));
  first.reset();
  CHECK_NOTHROW(sdx::FileLock(file, "runs/Ada"));
}

TEST_CASE("lock: a folder that is not there is named", "[util]") {
  const sdx::test::TempFolder folder;
  CHECK_THROWS_WITH(sdx::FileLock(folder.path() / "absent" / ".lock", "x"),
                    ContainsSubstring("absent"));
}
