# shellcheck shell=bash
# Which build of libtorch suits this machine's GPU; to be sourced after lib.sh, never run.

# find_gpu: what there is of NVIDIA's, as nvidia-smi says it, a GPU in each line: name, driver, compute
# capability. Where only the driver is known, or not even nvidia-smi works, the rest is "?". Nothing
# without a GPU.
find_gpu() {
  local root="${1:-}" version said
  if have nvidia-smi &&
    said="$(nvidia-smi --query-gpu=name,driver_version,compute_cap --format=csv,noheader 2>/dev/null)"; then
    printf '%s\n' "$said"
    return
  fi
  version="$root/proc/driver/nvidia/version"
  [[ -r "$version" ]] || return 0
  sed -nE '1s/.*[^0-9.]([0-9]+(\.[0-9]+)+) .*/a GPU, \1, ?/p' "$version"
}

# choose_wheel GPUS: for what find_gpu said. Prints a word and why, in one sentence:
#   cpu      no build for GPUs is of use
#   default  the one that pip's own index has: for CUDA 13
#   cu126    PyTorch's build for CUDA 12.6
#   driver   none until there is a newer driver
# CUDA 13 needs the driver 580 and Turing (7.5); CUDA 12.6 the driver 525 and Maxwell (5.0), and ends
# with Hopper (9.0).
choose_wheel() {
  local name driver capability best="" best_name="" first major
  while IFS=, read -r name driver capability; do
    capability="$(tr -dc '0-9.?' <<<"$capability")"
    driver="$(tr -dc '0-9.' <<<"$driver")"
    [[ -n "$driver" ]] || continue
    first="${first:-$driver}"
    # The best one: the others compute too, or are left alone.
    if [[ -z "$best" ]] || { [[ "$capability" != "?" ]] && [[ "$best" == "?" || $(tenths "$capability") -gt $(tenths "$best") ]]; }; then
      best="$capability"
      best_name="$name"
    fi
  done <<<"$1"
  if [[ -z "$best" ]]; then
    echo "cpu: no NVIDIA GPU is here"
    return
  fi
  major="${first%%.*}"
  local what="$best_name, compute capability $best, driver $first"
  local level
  level="$(tenths "${best/\?/7.5}")"  # the oldest that the default serves
  if ((level < 50)); then
    echo "cpu: $what: too old a GPU for any build that sdx works with"
  elif ((major >= 580 && level >= 75)); then
    echo "default: $what: CUDA 13"
  elif ((major < 525)); then
    echo "driver: $what: the driver is older than 525, which no build works with; install 580 or newer"
  elif ((level > 90)); then
    echo "driver: $what: this GPU needs CUDA 13, and that the driver 580 or newer"
  elif ((level >= 75)); then
    echo "cu126: $what: CUDA 13 needs the driver 580 or newer, so it is CUDA 12.6 until there is one"
  else
    echo "cu126: $what: CUDA 13 has nothing for a GPU before Turing (7.5)"
  fi
}

# tenths CAPABILITY: 7.5 as 75.
tenths() { awk -v value="${1/\?/0}" 'BEGIN { printf "%d", value * 10 + 0.5 }'; }

# explain_wheel CHOICE PIP_ARGS: what is fetched in that case, for a person.
explain_wheel() {
  local kind="${1%%: *}" why="${1#*: }" args="$2"
  if [[ -n "$args" ]]; then
    case "$kind" in
      cpu) say "$why: a CPU build of libtorch serves; it comes from where SDX_PIP_ARGS says" ;;
      default) say "$why: PyTorch's default build for NVIDIA GPUs suits; it comes from where SDX_PIP_ARGS says" ;;
      cu126) say "$why: PyTorch's build for CUDA 12.6 suits; it comes from where SDX_PIP_ARGS says" ;;
      driver) say "$why; until then sdx computes on the processor, with what SDX_PIP_ARGS says" ;;
    esac
    return
  fi
  case "$kind" in
    cpu) say "$why: a CPU build of libtorch serves; if pip's index has one for GPUs only, it works too, and SDX_PIP_ARGS with the --index-url of PyTorch's CPU builds saves 3 GB" ;;
    default) say "$why: the build for NVIDIA GPUs that pip's index has by default" ;;
    cu126) say "$why: put the --index-url of PyTorch's builds for cu126 into SDX_PIP_ARGS; with what pip's index has by default, sdx computes on the processor" ;;
    driver) say "$why; until then sdx computes on the processor" ;;
  esac
}

# suits CHOICE CUDA: whether a libtorch for that version of CUDA ("13.0"; empty: none) uses the GPU.
suits() {
  case "${1%%: *}" in
    default) [[ -n "$2" ]] ;;
    cu126) [[ "$2" == 12.* ]] ;;
    *) true ;;
  esac
}
