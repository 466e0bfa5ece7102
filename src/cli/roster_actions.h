#pragma once

namespace sdx {

/// The actions of sdx-roster, each with a --help of its own; argv[0] is the action.
void roster_run_action(int argc, char** argv);
void roster_slurm_action(int argc, char** argv);
void roster_retry_action(int argc, char** argv);
void roster_status_action(int argc, char** argv);
void roster_forget_action(int argc, char** argv);
void roster_check_action(int argc, char** argv);
void roster_who_action(int argc, char** argv);

}  // namespace sdx
