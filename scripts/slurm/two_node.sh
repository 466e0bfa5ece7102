#!/usr/bin/env bash
# A Slurm cluster of two nodes on this one machine, to try job scripts on: n1 and n2 are two slurmd
# with their own ports, each with CPUs and GPUs that exist only in its configuration.
#   two_node.sh start FOLDER        FOLDER is made; everything of the cluster lies in it
#   two_node.sh kill FOLDER n2      kills a node as a power cut would: its slurmd and its jobs, with -9
#   two_node.sh revive FOLDER n2    starts a killed node again
#   two_node.sh stop FOLDER         ends the cluster and its jobs; FOLDER stays, with the logs
# Then: export SLURM_CONF=FOLDER/slurm.conf, and sbatch, squeue, scontrol speak with this cluster.
#   SDX_NODE_CPUS=2                 CPUs of each node
# Needs root (nodes start jobs for other users), and slurm-wlm and munge:
#   apt-get install --no-install-recommends slurm-wlm munge
set -euo pipefail

usage() {
  sed -n '2,/^set -e/{/^set -e/d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
}

die() {
  printf '%s\n' "two_node.sh: $*" >&2
  exit 1
}

write_configuration() {
  local host
  host="$(hostname -s)"
  # Null devices as GPUs: only devices of characters get into CUDA_VISIBLE_DEVICES.
  [[ -c "$folder/gpu0" ]] || mknod "$folder/gpu0" c 1 3
  [[ -c "$folder/gpu1" ]] || mknod "$folder/gpu1" c 1 3
  printf '%s\n' "Name=gpu File=$folder/gpu[0-1] Flags=nvidia_gpu_env" >"$folder/gres.conf"
  # As a site might have it, but quicker: a lost node is noticed after 10 s, and what is requeued
  # waits for 20 s (cred_expire). RequeueExit is left out, since few clusters have it.
  cat >"$folder/slurm.conf" <<END
ClusterName=two
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=17800
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket,cred_expire=20
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/%n
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/%n.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
ReturnToService=2
JobRequeue=1
SlurmdTimeout=10
KillWait=30
GresTypes=gpu
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
NodeName=n[1-2] NodeHostname=$host NodeAddr=127.0.0.1 Port=[17801-17802] CPUs=${SDX_NODE_CPUS:-2} Gres=gpu:2 State=UNKNOWN
PartitionName=all Nodes=n[1-2] Default=YES MaxTime=INFINITE State=UP
END
}

# The cluster's own munge, so that the machine's, if it has one, is left alone.
start_munge() {
  if [[ ! -s "$folder/munge.key" ]]; then
    (umask 077 && head -c 1024 /dev/urandom >"$folder/munge.key")
  fi
  munged --force --socket="$folder/munge.socket" --key-file="$folder/munge.key" \
    --pid-file="$folder/munge.pid" --seed-file="$folder/munge.seed" --log-file="$folder/munge.log" \
    2>>"$folder/munge.log"
}

start() {
  local program
  for program in munged slurmctld slurmd sinfo; do
    command -v "$program" >/dev/null || die "$program is missing; see --help"
  done
  [[ "$(id -u)" == 0 ]] || die "must be run by root; see --help"
  write_configuration
  mkdir -p "$folder"/{state,n1,n2}
  start_munge
  slurmctld
  slurmd -N n1
  slurmd -N n2
  wait_for_nodes
}

wait_for_nodes() {
  for _ in $(seq 60); do
    [[ "$(sinfo -h -N -t idle,mix,alloc 2>/dev/null | wc -l)" == 2 ]] && return
    sleep 1
  done
  die "not all nodes came up; see $folder/slurmctld.log"
}

# Processes of the jobs on a node: Slurm writes both into their environment.
job_processes() {
  local environment
  for environment in /proc/[0-9]*/environ; do
    if grep -qzxF "SLURMD_NODENAME=$1" "$environment" 2>/dev/null &&
      grep -qzxF "SLURM_CONF=$folder/slurm.conf" "$environment" 2>/dev/null; then
      environment="${environment%/environ}"
      printf '%s\n' "${environment#/proc/}"
    fi
  done
}

# Their parents, which tell the cluster how a job has ended: not from a node without power.
step_daemons() {
  local process parent
  for process in "$@"; do
    parent="$(awk '/^PPid:/ { print $2 }' "/proc/$process/status" 2>/dev/null)" || continue
    [[ "$(cat "/proc/$parent/comm" 2>/dev/null)" == slurmstepd ]] && printf '%s\n' "$parent"
  done | sort -u
}

kill_node() {
  local processes daemons slurmd
  mapfile -t processes < <(job_processes "$1")
  mapfile -t daemons < <(step_daemons "${processes[@]}")
  slurmd="$(cat "$folder/$1.pid" 2>/dev/null || true)"
  [[ -z "$slurmd" ]] || processes+=("$slurmd")
  kill -9 "${daemons[@]}" "${processes[@]}" 2>/dev/null || true
  rm -f "$folder/$1.pid"  # its number may soon be another process's
}

stop() {
  local name process
  kill_node n1
  kill_node n2
  for process in $(pgrep -x slurmstepd); do  # of jobs that have ended and cannot say so
    ! grep -qzxF "SLURM_CONF=$folder/slurm.conf" "/proc/$process/environ" || kill -9 "$process"
  done
  for name in slurmctld munge; do
    [[ -s "$folder/$name.pid" ]] || continue
    process="$(cat "$folder/$name.pid")"
    kill "$process" 2>/dev/null || continue
    for _ in $(seq 50); do
      kill -0 "$process" 2>/dev/null || break
      sleep 0.1
    done
    rm -f "$folder/$name.pid"
  done
}

case "${1:-}" in
  start | stop) (($# == 2)) || die "$1 takes a folder; see --help" ;;
  kill | revive) [[ $# == 3 && "$3" =~ ^n[12]$ ]] || die "$1 takes a folder and n1 or n2; see --help" ;;
  -h | --help) usage && exit ;;
  *) usage >&2 && exit 64 ;;
esac
mkdir -p "$2"
folder="$(cd "$2" && pwd)"
export SLURM_CONF="$folder/slurm.conf"
case "$1" in
  start) start ;;
  kill) kill_node "$3" ;;
  revive) slurmd -N "$3" ;;
  stop) stop ;;
esac
