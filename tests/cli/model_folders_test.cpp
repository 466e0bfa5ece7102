// Where models lie: those of all users, which one may only read, and one's own.

#include <linux/capability.h>
#include <sys/prctl.h>

#include <cstdlib>

#include "support/run.h"
#include "support/synthetic.h"
#include "support/temp_folder.h"

#include "support/catch.h"

namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;
using sdx::test::RunResult;
using sdx::test::SyntheticModel;
using sdx::test::TempFolder;

namespace {

/// Two users' worth of folders: models of all, which one may only read, and a home.
class Machine {
 public:
  Machine() {
    SyntheticModel("sd1-tiny").write_single_file(path() / "sd15.safetensors", at::kFloat);
    for (const char* folder : {"shared", "home", "data", "work"}) {
      fs::create_directory(path() / folder);
    }
    fs::permissions(path() / "shared", fs::perms(0555));
  }

  const fs::path& path() const { return folder_.path(); }

  struct Settings {
    bool has_home = true;
    bool has_data_home = false;
    bool has_shared = true;
  };

  /// As a user who owns the folders and may write only where their permissions say so, also if it
  /// is root that runs the test: root keeps what it owns, and loses the right to override
  /// permissions.
  RunResult model(const std::vector<std::string>& arguments, const Settings& settings) const {
    sdx::test::Run command;
    command.tool = "sdx-model";
    command.arguments = arguments;
    command.folder = path() / "work";
    command.prepare = [this, settings] {
      const auto set = [](const char* name, bool is_set, const fs::path& value) {
        is_set ? ::setenv(name, value.c_str(), 1) : ::unsetenv(name);
      };
      set("HOME", settings.has_home, path() / "home");
      set("XDG_DATA_HOME", settings.has_data_home, path() / "data");
      set("SDX_MODELS", settings.has_shared, path() / "shared");
      ::prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE);  // fails where nobody has that right to lose
    };
    return sdx::test::run(command);
  }

  RunResult import(const std::string& name, const Settings& settings) const {
    return model({"import", path() / "sd15.safetensors", "--name", name}, settings);
  }

  bool has(const std::string& bundle) const { return fs::exists(path() / bundle / "bundle.json"); }

 private:
  TempFolder folder_;
};

}  // namespace

TEST_CASE("cli: what a user imports is kept in a folder of their own") {
  const Machine machine;
  const RunResult first = machine.import("mine", {});
  INFO(first.err);
  REQUIRE(first.exit_code == 0);
  CHECK(machine.has("home/.local/share/sdx/models/mine"));
  CHECK_FALSE(machine.has("shared/mine"));
  CHECK_THAT(first.err, ContainsSubstring("this user may not write to $SDX_MODELS (" +
                                          (machine.path() / "shared").string() + ")"));

  const RunResult second = machine.import("other", {.has_data_home = true});
  INFO(second.err);
  REQUIRE(second.exit_code == 0);
  CHECK(machine.has("data/sdx/models/other"));

  // The folder of data homes is the only own one where it is set.
  const RunResult listed = machine.model({"list"}, {.has_data_home = true});
  CHECK_THAT(listed.out, ContainsSubstring((machine.path() / "data/sdx/models/other").string()));
  CHECK_THAT(listed.out, !ContainsSubstring("mine"));

  const RunResult homeless = machine.import("none", {.has_home = false});
  CHECK(homeless.exit_code == 64);
  CHECK_THAT(homeless.err, ContainsSubstring("$SDX_MODELS may not be written by this user") &&
                               ContainsSubstring("--models-dir DIR"));
}

TEST_CASE("cli: models for all users are found beside a user's own, and each with its place") {
  const Machine machine;
  // An administrator's: imported by whoever may write there.
  fs::permissions(machine.path() / "shared", fs::perms::all);
  REQUIRE(machine.import("common", {}).exit_code == 0);
  CHECK(machine.has("shared/common"));
  fs::permissions(machine.path() / "shared", fs::perms(0555));
  REQUIRE(machine.import("mine", {}).exit_code == 0);

  const RunResult listed = machine.model({"list"}, {});
  INFO(listed.out);
  CHECK(listed.exit_code == 0);
  for (const char* place : {"shared/common", "home/.local/share/sdx/models/mine"}) {
    CHECK_THAT(listed.out, ContainsSubstring((machine.path() / place).string() + "\n"));
  }
  CHECK_THAT(listed.out, ContainsSubstring("share/sdx/models/mini\n"));
  CHECK(machine.model({"verify", "common"}, {}).exit_code == 0);

  // Two of one name: the folder of all users comes first, and both are shown.
  REQUIRE(machine.import("common", {}).exit_code == 0);
  REQUIRE(machine.has("home/.local/share/sdx/models/common"));
  const std::string shared = (machine.path() / "shared/common").string();
  const std::string own = (machine.path() / "home/.local/share/sdx/models/common").string();
  const RunResult both = machine.model({"list"}, {});
  CHECK_THAT(both.out,
             ContainsSubstring("  " + shared + "\n") &&
                 ContainsSubstring("  " + own + "  (shadowed: the name means " + shared + ")\n"));
  CHECK(both.out.find(shared) < both.out.find(own));
  const RunResult as_json = machine.model({"list", "--json"}, {});
  CHECK_THAT(as_json.out, ContainsSubstring("\"folder\":\"" + own) &&
                              ContainsSubstring("\"shadowed_by\":\"" + shared + "\"}\n"));
  CHECK(as_json.out.find("shadowed_by") == as_json.out.rfind("shadowed_by"));
  CHECK_THAT(machine.model({"show", "common"}, {}).out, ContainsSubstring(shared));
  // Without the folder of all users the own one is what the name means.
  const RunResult alone = machine.model({"list"}, {.has_shared = false});
  CHECK_THAT(alone.out, ContainsSubstring("  " + own + "\n") && !ContainsSubstring("shadowed"));

  // A model in the current folder is what a name means before all others.
  fs::copy(shared, machine.path() / "work/common", fs::copy_options::recursive);
  const std::string here = (machine.path() / "work/common").string();
  CHECK_THAT(machine.model({"list"}, {}).out,
             ContainsSubstring("  " + here + "\n") &&
                 ContainsSubstring("  " + shared + "  (shadowed: the name means " + here + ")\n"));
  CHECK_THAT(machine.model({"show", "common"}, {}).out, ContainsSubstring("folder        common"));

  // An empty variable names no folder.
  sdx::test::Run command;
  command.tool = "sdx-model";
  command.arguments = {"list"};
  command.folder = machine.path() / "shared";
  command.prepare = [] { ::setenv("SDX_MODELS", "", 1); };
  CHECK_THAT(sdx::test::run(command).out, !ContainsSubstring("common"));
}
