#include "sdx/util/data_folder.h"

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

#include "support/catch.h"

using namespace sdx;

namespace {

/// Sets SDX_DATA for a scope.
class DataVariable {
 public:
  explicit DataVariable(const char* value) {
    if (const char* const before = std::getenv("SDX_DATA")) before_ = before;
    if (value == nullptr) {
      ::unsetenv("SDX_DATA");
    } else {
      ::setenv("SDX_DATA", value, 1);
    }
  }
  ~DataVariable() {
    if (before_) {
      ::setenv("SDX_DATA", before_->c_str(), 1);
    } else {
      ::unsetenv("SDX_DATA");
    }
  }
  DataVariable(const DataVariable&) = delete;
  DataVariable& operator=(const DataVariable&) = delete;

 private:
  std::optional<std::string> before_;
};

}  // namespace

TEST_CASE("util: SDX_DATA says where the data are", "[util]") {
  const DataVariable variable("/some/where");
  CHECK(data_folder() == "/some/where");
}

TEST_CASE("util: without SDX_DATA the data lie beside the binary's folder", "[util]") {
  const std::filesystem::path expected =
      std::filesystem::canonical("/proc/self/exe").parent_path().parent_path() / "share" / "sdx";
  {
    const DataVariable variable(nullptr);
    CHECK(data_folder() == expected);
  }
  const DataVariable variable("");
  CHECK(data_folder() == expected);
}
