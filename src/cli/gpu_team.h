#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/child_process.h"
#include "sdx/cli/tool.h"
#include "sdx/util/json.h"

namespace sdx {

/// The variable that tells a process whose work it does a part of: see GpuOptions::part_of.
inline constexpr const char* kPartOf = "SDX_PART_OF";

/// Processes of this program, one for each of several GPUs, that share a piece of work.
///
/// Each sees its own GPU only, and says what it does in lines of JSON. They end when this process
/// ends, whatever ends it.
class GpuTeam {
 public:
  /// What a process says.
  using Listener = std::function<void(std::size_t process, const Json& message)>;
  /// A process has ended, with its work done or not.
  using EndListener = std::function<void(std::size_t process)>;

  /// @param tool      the program: "sdx-roster"
  /// @param gpus      their numbers, see choose_gpus()
  /// @param arguments of each process; see make_part_options()
  GpuTeam(std::string tool, std::vector<int> gpus, const std::vector<std::string>& arguments,
          const CommonOptions& common);
  /// Asks who is still at work to stop, and waits for it.
  ~GpuTeam();
  GpuTeam(const GpuTeam&) = delete;
  GpuTeam& operator=(const GpuTeam&) = delete;

  /// Listens until all have ended. SIGINT and SIGTERM are passed on once, and this waits for the
  /// processes to stop; stop_signal() then tells. Who ends otherwise before its work is done is
  /// named, with its GPU and what it said; the others go on.
  /// @throws Error with what a process said, if that concerns what was asked for and not its GPU.
  void run(const Listener& listen, const EndListener& on_end);

  /// Writes a line to a process.
  void tell(std::size_t process, const Json& message);
  /// Tells a process that nothing more will be told.
  void dismiss(std::size_t process);

  std::size_t size() const { return members_.size(); }
  bool is_at_work(std::size_t process) const { return members_[process]->is_at_work; }
  const std::vector<int>& gpus() const { return gpus_; }

  /// A line for each that ended before its work was done: "GPU 1: was killed by signal 9 (Killed)".
  const std::vector<std::string>& losses() const { return losses_; }
  /// The first GPU whose process did its work.
  std::optional<int> find_working_gpu() const;

 private:
  struct Member {
    std::unique_ptr<ChildProcess> process;  ///< null: could not be started
    bool is_at_work = false;
    bool did_its_work = false;
    std::string last_words;  ///< the error with which it ended
  };

  std::string name(std::size_t process) const;
  std::string name_others(std::size_t process) const;  ///< their numbers, "0,2"
  void take_answers(std::size_t process, const Listener& listen);
  void take_messages(std::size_t process);
  void end(std::size_t process, const EndListener& on_end);
  void lose(std::size_t process, const std::string& what);

  std::string tool_;
  std::vector<int> gpus_;
  bool is_quiet_;
  std::vector<std::unique_ptr<Member>> members_;
  std::vector<std::string> losses_;
};

/// The options of each of several processes on GPUs of their own: an equal share of the
/// processor's threads, the GPU that they see.
CommonOptions make_part_options(const CommonOptions& common, std::size_t processes);

/// Says a line to the process whose work this one does a part of.
void tell_team(const Json& message);

}  // namespace sdx
