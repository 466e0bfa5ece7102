// The job script of `sdx-roster slurm`, run by bash with programs in place of sdx-roster and of
// Slurm's that write down how they were called. With a real Slurm: scripts/slurm/try_two_nodes.sh,
// which needs root and daemons and is therefore no test of CTest.

#include <sys/stat.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <map>
#include <thread>

#include "support/throws.h"
#include "support/workplace.h"

#include "support/catch.h"

namespace fs = std::filesystem;
using sdx::test::contains;
using sdx::test::read_bytes;
using sdx::test::Run;
using sdx::test::RunResult;
using sdx::test::TempFolder;
using sdx::test::Workplace;

using Words = std::vector<std::string>;

namespace {

/// A roster, the script that the tool made of it, and programs that stand in for others.
class Job {
 public:
  /// @param folder within the test's place, where everything happens
  /// @param names of people, as they stand in the roster
  explicit Job(const Words& names, Words options = {}, const std::string& folder = "here")
      : folder_(place_.path() / folder) {
    fs::create_directories(folder_ / "programs");
    std::string roster = "name,portraits\n";
    for (std::size_t i = 0; i < names.size(); ++i) {
      const std::string portraits = "p" + std::to_string(i);
      fs::copy(place_.path() / "faces", folder_ / portraits);
      roster += names[i] + "," + portraits + "\n";
    }
    write("team.csv", roster);
    Words arguments = {"slurm", "team.csv"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    Run made = place_.command("sdx-roster", arguments);
    made.folder = folder_;
    result_ = sdx::test::run(made);
    script_ = result_.out;
    const std::string real = fs::canonical(fs::path(SDX_BIN_DIR) / "sdx-roster");
    if (const auto at = script_.find(real); at != std::string::npos) {
      script_.replace(at, real.size(), "programs/sdx-roster");
    }
    write("job.sh", script_);
    program("sbatch", "count=$(cat calls | wc -l)\necho $((70 + count))");
    program("scontrol", "");
    program("sdx-roster", "");
  }

  const RunResult& made() const { return result_; }
  const std::string& script() const { return script_; }
  const fs::path& folder() const { return folder_; }

  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }

  /// A program that writes its name and arguments into `calls`, one a line, and then does `what`.
  void program(const std::string& name, const std::string& what) const {
    const std::string file = "programs/" + name;
    write(file,
          "#!/usr/bin/env bash\nprintf '%s\\n' \"${0##*/} $(printf '[%s]' \"$@\")\" >>calls\n" +
              what + "\n");
    ::chmod((folder_ / file).c_str(), 0700);
  }

  /// How the programs were called: "scontrol [requeue][70_0]".
  std::string calls() const {
    return fs::exists(folder_ / "calls") ? read_bytes(folder_ / "calls") : std::string();
  }

  /// Bash with the script, as Slurm would start it for a task; -1: as a person types it.
  RunResult bash(
      int task, Words arguments = {}, const std::string& restarts = "",
      const std::function<void(pid_t)>& meanwhile = [](pid_t) {}) const {
    Run run;
    run.tool = "/bin/bash";
    run.arguments = {task < 0 ? "job.sh" : (folder_ / "job.sh").string()};
    run.arguments.insert(run.arguments.end(), arguments.begin(), arguments.end());
    run.folder = task < 0 ? folder_ : fs::path("/");
    run.meanwhile = meanwhile;
    run.prepare = [=, programs = (folder_ / "programs").string()] {
      ::setenv("PATH", (programs + ":" + std::getenv("PATH")).c_str(), 1);
      for (const char* name : {"SLURM_ARRAY_TASK_ID", "SLURM_RESTART_COUNT"}) ::unsetenv(name);
      if (task < 0) return;
      ::setenv("SLURM_ARRAY_JOB_ID", "70", 1);
      ::setenv("SLURM_ARRAY_TASK_ID", std::to_string(task).c_str(), 1);
      if (!restarts.empty()) ::setenv("SLURM_RESTART_COUNT", restarts.c_str(), 1);
    };
    return sdx::test::run(run);
  }

  /// Waits for a file that a program writes, as long as the script runs.
  void wait_for(const std::string& name, pid_t script) const {
    while (!fs::exists(folder_ / name) && sdx::test::is_running(script)) std::this_thread::yield();
  }

 private:
  Workplace place_;
  fs::path folder_;
  RunResult result_;
  std::string script_;
};

/// Says that it is ready, writes down every SIGTERM and does `then` about it; ends with 143 a while
/// after there is a file `go`, and at last by itself.
std::string waits_for_the_signal(const std::string& then) {
  return "trap 'echo stopped >>stops; " + then +
         "' TERM\n: >ready\n"
         "for ((i = 0; i < 2000000; ++i)); do [[ -e go ]] && break; done\n"
         "for ((i = 0; i < 200000; ++i)); do :; done\nexit 143";
}

}  // namespace

TEST_CASE("slurm: a roster that run would refuse gives no script", "[cli]") {
  const Workplace place;
  std::ofstream(place.path() / "team.csv") << "name,portraits\nAda,faces\nBen,nowhere\n";
  const RunResult result = place.run("sdx-roster", {"slurm", "team.csv"});
  CHECK(result.exit_code == 66);
  CHECK(result.out.empty());
  CHECK(contains(result.err, "team.csv, line 3, Ben: nowhere: no such folder of portraits"));
  CHECK_FALSE(fs::exists(place.path() / "team"));

  const RunResult going = place.run("sdx-roster", {"slurm", "team.csv", "--keep-going", "--json"});
  CHECK(going.exit_code == 0);
  CHECK(going.out.starts_with("#!/usr/bin/env bash\n#SBATCH "));
  CHECK(contains(going.out, "#SBATCH --array=0-0\n"));
  CHECK(contains(going.out, "\n  --json\n"));
}

TEST_CASE("slurm: options that sbatch could not read are refused", "[cli]") {
  const Workplace place;
  std::ofstream(place.path() / "team.csv") << "name,portraits\nAda,faces\n";
  for (const auto& [option, value] :
       std::map<std::string, std::string>{{"--time", "two hours"},
                                          {"--memory", "16 G"},
                                          {"--partition", "gpu\n#SBATCH --wrap=x"},
                                          {"--gpus", "-1"},
                                          {"--cpus", "0"},
                                          {"--only", "Ada"}}) {
    INFO(option);
    const RunResult result = place.run("sdx-roster", {"slurm", "team.csv", option, value});
    CHECK(result.exit_code == 64);
    CHECK(contains(result.err, option));
    CHECK(result.out.empty());
  }
}

TEST_CASE("slurm: the script is bash, with a task for each person", "[cli]") {
  const Job job({"Ada", "Ben", "Zoe"}, {"--partition", "gpu,big", "--time", "1-12:00:00", "--gpus",
                                        "2", "--cpus", "8", "--memory", "64G", "--parallel", "2"});
  INFO(job.made().err);
  REQUIRE(job.made().exit_code == 0);
  for (const char* line : {"job-name=sdx-team", "array=0-2%2", "nodes=1", "partition=gpu,big",
                           "gres=gpu:2", "cpus-per-task=8", "mem=64G", "time=1-12:00:00",
                           "signal=B:USR1@60", "requeue", "open-mode=append"}) {
    CHECK(contains(job.script(), "\n#SBATCH --" + std::string(line) + "\n"));
  }
  Run parsed;
  parsed.tool = "/bin/bash";
  parsed.arguments = {"-n", "job.sh"};
  parsed.folder = job.folder();
  CHECK(sdx::test::run(parsed).exit_code == 0);

  Run status;
  status.tool = "sdx-roster";
  status.arguments = {"status", "team"};
  status.folder = job.folder();
  const RunResult shown = sdx::test::run(status);
  CHECK(shown.exit_code == 0);
  CHECK(contains(shown.err, "0 of 3 people done"));
}

TEST_CASE("slurm: names, paths and prompts reach the program as they are", "[cli]") {
  const std::string odd = "a $(touch x) 'b' \"c\" `d` \\ 50% Ж";
  const Job job({"`touch$IFS$9x`", "O'Neil", "\"Ж\"\"`q`\"", "-n", "a;b&c*$PATH"},
                {"--title", odd, "--negative", "line\nend", "--out", odd, "--threads", "3"}, odd);
  INFO(job.made().err);
  REQUIRE(job.made().exit_code == 0);
  const Words as_read = {"`touch$IFS$9x`", "O'Neil", "Ж\"`q`", "-n", "a;b&c*$PATH"};
  job.program("sdx-roster", "printf '%s\\0' \"$PWD\" \"$@\" >record");
  for (std::size_t i = 0; i < as_read.size(); ++i) {
    REQUIRE(job.bash(static_cast<int>(i)).exit_code == 0);
    const std::string record = read_bytes(job.folder() / "record");
    const auto has = [&](const std::string& word) {
      return contains(record, std::string(1, '\0') + word + std::string(1, '\0'));
    };
    CHECK(record.starts_with(job.folder().string() + '\0'));
    CHECK(has("run"));
    CHECK(has("team.csv"));
    CHECK(has("--title=" + odd));
    CHECK(has("--out=" + odd));
    CHECK(has("--negative=line\nend"));
    CHECK(has("--threads=3"));
    CHECK(has("--device=cuda"));
    CHECK(has("--only=" + as_read[i]));
  }
  REQUIRE(job.bash(static_cast<int>(as_read.size())).exit_code == 0);
  CHECK_FALSE(contains(read_bytes(job.folder() / "record"), "--only"));
  CHECK_FALSE(fs::exists(job.folder() / "x"));
}

TEST_CASE("slurm: who is trained together is one task, and a comma is no border", "[cli]") {
  const Job job({"Ada", "\"Li,Wu\"", "Ben", "Cem"}, {"--together", "2", "--gpus", "0"});
  REQUIRE(job.made().exit_code == 0);
  CHECK(contains(job.script(), "#SBATCH --array=0-2\n"));
  CHECK(contains(job.script(), "tasks=(\n  Li,Wu\n  Ada,Ben\n  Cem\n)\n"));
  CHECK(contains(job.script(), "\n  --device=cpu\n"));
  CHECK_FALSE(contains(job.script(), "gres"));
}

TEST_CASE("slurm: bash submits everybody, and the last task behind them", "[cli]") {
  const Job job({"Ada", "Ben"}, {}, "50% here");
  const RunResult result = job.bash(-1, {"--account=lab", "--array=1"});
  INFO(result.err);
  CHECK(result.exit_code == 0);
  const std::string logs = job.folder().parent_path().string() + "/50%% here/team/slurm/%A_%a.log";
  const std::string script = (job.folder() / "job.sh").string();
  CHECK(job.calls() == "sbatch [--parsable][--output=" + logs + "][--account=lab][--array=1][" +
                           script + "]\nsbatch [--parsable][--output=" + logs +
                           "][--account=lab][--array=1][--array=2][--dependency=afterany:71][" +
                           script + "]\n");
  CHECK(contains(result.out, "Submitted 71 and, when that has ended, 72"));
  CHECK(fs::is_directory(job.folder() / "team/slurm"));
}

TEST_CASE("slurm: what sbatch refuses is not submitted by half", "[cli]") {
  const Job job({"Ada"});
  job.program("sbatch", "exit 3");
  CHECK(job.bash(-1).exit_code == 3);
  CHECK(job.calls().find("sbatch") == job.calls().rfind("sbatch"));
}

TEST_CASE("slurm: exit codes are the program's", "[cli]") {
  const Job job({"Ada"});
  for (const int code : {0, 1, 65, 69, 137, 143}) {
    job.program("sdx-roster", "exit " + std::to_string(code));
    CHECK(job.bash(0).exit_code == code);
  }
  CHECK_FALSE(contains(job.calls(), "scontrol"));
}

TEST_CASE("slurm: a task that may do better goes back into the queue, not for ever", "[cli]") {
  const Job job({"Ada"});
  job.program("sdx-roster", "exit 75");
  CHECK(job.bash(0).exit_code == 75);
  CHECK(contains(job.calls(), "scontrol [requeue][70_0]\n"));
  fs::remove(job.folder() / "calls");
  CHECK(job.bash(0, {}, "19").exit_code == 75);
  CHECK(contains(job.calls(), "scontrol [requeue][70_0]\n"));
  fs::remove(job.folder() / "calls");
  job.program("sdx-roster", "exit 255");  // which bash says of a code that it has lost
  CHECK(job.bash(0).exit_code == 75);
  CHECK(contains(job.calls(), "scontrol [requeue][70_0]\n"));
  fs::remove(job.folder() / "calls");
  job.program("sdx-roster", "exit 75");
  const RunResult last = job.bash(0, {}, "20");
  CHECK(last.exit_code == 69);
  CHECK(contains(last.err, "given up"));
  CHECK_FALSE(contains(job.calls(), "scontrol"));
}

TEST_CASE("slurm: shortly before the time limit the program is stopped, and requeued", "[cli]") {
  const Job job({"Ada"});
  job.program("sdx-roster", waits_for_the_signal("exit 143"));
  const RunResult result = job.bash(0, {}, "", [&](pid_t script) {
    job.wait_for("ready", script);
    ::kill(script, SIGUSR1);
  });
  CHECK(result.exit_code == 75);
  CHECK(read_bytes(job.folder() / "stops") == "stopped\n");
  CHECK(contains(job.calls(), "scontrol [requeue][70_0]\n"));
}

TEST_CASE("slurm: who ends in time all the same is done", "[cli]") {
  const Job job({"Ada"});
  job.program("sdx-roster", waits_for_the_signal("exit 0"));
  const RunResult result = job.bash(0, {}, "", [&](pid_t script) {
    job.wait_for("ready", script);
    ::kill(script, SIGUSR1);
  });
  CHECK(result.exit_code == 0);
  CHECK_FALSE(contains(job.calls(), "scontrol"));
}

TEST_CASE("slurm: the program is told once, and not of a signal that Slurm sends to all", "[cli]") {
  const Job job({"Ada"});
  job.program("sdx-roster", waits_for_the_signal(":"));
  const RunResult result = job.bash(0, {}, "", [&](pid_t script) {
    job.wait_for("ready", script);
    ::kill(script, SIGUSR1);
    job.wait_for("stops", script);
    ::kill(script, SIGTERM);
    // Several, as bash loses one that comes while it handles another; not thousands, by which bash
    // itself crashes.
    for (int i = 0; i < 20; ++i) {
      ::kill(script, SIGUSR1);
      for (int k = 0; k < 2000; ++k) std::this_thread::yield();
    }
    job.write("go", "");
  });
  CHECK(result.exit_code == 75);
  CHECK(read_bytes(job.folder() / "stops") == "stopped\n");
}

TEST_CASE("slurm: a node that does not see the folder says so", "[cli]") {
  const Job job({"Ada"});
  std::string script = job.script();
  script.replace(script.find("\nfolder="), 8, "\nfolder=/nowhere");
  job.write("job.sh", script);
  const RunResult result = job.bash(0);
  CHECK(result.exit_code == 66);
  CHECK(contains(result.err, "shared storage"));
  CHECK(job.calls().empty());
}
