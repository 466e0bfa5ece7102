# From here on the script is the same for every team.
#
#   bash job.sh [options of sbatch]   submits everybody, and a last task behind them for pictures of
#                                     several people, the gallery, and whatever is left
#   bash job.sh --array=3,7           submits these tasks (they count from 0), and the last one
#
# Within Slurm it is the task of number SLURM_ARRAY_TASK_ID. A task that may do better next time (exit
# code 75), or whose time is nearly up, goes back into the queue and continues from its checkpoint.
# shellcheck shell=bash disable=SC2154  # folder, team, tasks and run stand above
set -uo pipefail
umask 077

# So often a task is started again; after that something is wrong that no further try mends.
most_restarts=20

submit() {
  local script="$1" logs first last
  shift
  mkdir -p -- "$team/slurm" || exit 73
  logs="$(cd -- "$team/slurm" && pwd)" || exit 73
  logs="${logs//%/%%}/%A_%a.log"  # Slurm's own % signs are single ones
  first="$(sbatch --parsable --output="$logs" "$@" "$script")" || exit
  last="$(sbatch --parsable --output="$logs" "$@" --array="${#tasks[@]}" \
    --dependency="afterany:${first%%;*}" "$script")" || exit
  printf '%s\n' "Submitted ${first%%;*} and, when that has ended, ${last%%;*}" \
    "squeue shows how far they are, sdx-roster status how far the people; logs are in $team/slurm"
}

# Once, because a second signal ends the program without a checkpoint.
stop_program() {
  [[ -n "$program" && -z "$is_told" ]] || return 0
  is_told=1
  kill -TERM "$program"
}

work() {
  local program='' is_told='' is_late='' code
  trap 'is_late=1; stop_program' USR1  # Slurm: the time is nearly up
  trap : TERM  # the program gets this one from Slurm, too
  "${run[@]}" "$@" &
  program=$!
  [[ -z "$is_late" ]] || stop_program
  # A signal ends `wait` early; what the program ended with is remembered.
  while kill -0 "$program" 2>/dev/null; do wait "$program"; done
  trap '' USR1 TERM
  wait "$program"
  code=$?
  # Bash forgets the code, and says 255, where a signal comes just as the program ends. The program
  # itself never ends so, and a task that was done finds that out at once when it is started again.
  if [[ "$code" == 255 || (-n "$is_late" && "$code" == 143) ]]; then code=75; fi
  return "$code"
}

requeue() {
  if ((${SLURM_RESTART_COUNT:-0} >= most_restarts)); then
    printf '%s\n' "sdx: started again $most_restarts times, and not done; given up" >&2
    exit 69
  fi
  # By array and number: a task's own SLURM_JOB_ID may be that of the whole array. Where the cluster
  # itself requeues on exit code 75 (RequeueExit), this changes nothing.
  scontrol requeue "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"
  exit 75
}

script="$(realpath -- "$0")"
cd -- "$folder" || {
  printf '%s\n' "sdx: the folder is not seen here; a cluster's nodes need it on shared storage" >&2
  exit 66
}
if [[ -z "${SLURM_ARRAY_TASK_ID:-}" ]]; then
  submit "$script" "$@"
  exit
fi
names=()
if ((SLURM_ARRAY_TASK_ID < ${#tasks[@]})); then
  names=(--only="${tasks[SLURM_ARRAY_TASK_ID]}")
fi
work "${names[@]}"
code=$?
((code != 75)) || requeue
exit "$code"
