#!/usr/bin/env bash
# Which build of libtorch scripts/setup.sh wants for which GPU: gpu_wheel_test.sh CHECKOUT. Run by CTest.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../../scripts/lib.sh
source "$1/scripts/lib.sh"
# shellcheck source-path=SCRIPTDIR source=../../scripts/gpu_wheel.sh
source "$1/scripts/gpu_wheel.sh"
set +e  # of lib.sh: each check says what it found
faults=0

# check WHAT EXPECTED FOUND: the expected text is a part of what was found.
check() {
  [[ "$3" == *"$2"* ]] && return
  faults=$((faults + 1))
  printf '%s: expected "%s", found "%s"\n' "$1" "$2" "$3"
}

# chooses EXPECTED LINE…: of GPUs, as nvidia-smi prints them.
chooses() {
  local expected="$1"
  shift
  check "$*" "$expected" "$(choose_wheel "$(printf '%s\n' "$@")")"
}

chooses "cpu: no NVIDIA GPU is here" ""
chooses "default: NVIDIA H200, compute capability 9.0, driver 580.65.06" "NVIDIA H200, 580.65.06, 9.0"
chooses "default: " "Quadro RTX 8000, 580.95.05, 7.5" "Quadro RTX 8000, 580.95.05, 7.5"
chooses "cu126: Quadro RTX 8000, compute capability 7.5, driver 535.183.01: CUDA 13 needs the driver 580" \
  "Quadro RTX 8000, 535.183.01, 7.5"
chooses "cu126: " "NVIDIA GeForce RTX 3060, 550.120, 8.6"
chooses "cu126: " "Tesla V100-SXM2-16GB, 580.65.06, 7.0"
chooses "has nothing for a GPU before Turing" "NVIDIA GeForce GTX 1080 Ti, 570.86.15, 6.1"
chooses "driver: " "NVIDIA GeForce RTX 5090, 570.86.15, 12.0"
chooses "default: " "NVIDIA GeForce RTX 5090, 580.95.05, 12.0"
chooses "driver: " "Quadro RTX 8000, 470.256.02, 7.5"
chooses "cpu: Tesla K80, compute capability 3.7" "Tesla K80, 470.256.02, 3.7"
# The best one of several decides.
chooses "default: NVIDIA RTX A4000" "Quadro P400, 580.65.06, 6.1" "NVIDIA RTX A4000, 580.65.06, 8.6"
chooses "default: NVIDIA RTX PRO 6000" "NVIDIA RTX A4000, 580.65.06, 8.6" "NVIDIA RTX PRO 6000, 580.65.06, 12.0"
# Only the driver is known.
chooses "default: a GPU, compute capability ?, driver 580.65.06" "a GPU, 580.65.06, ?"
chooses "cu126: " "a GPU, 535.183.01, ?"

# The driver alone, in both of its kinds.
root="$(mktemp -d)"
trap 'rm -rf "$root"' EXIT
have() { false; }  # no nvidia-smi
check "no driver" "" "$(find_gpu "$root")"
[[ -z "$(find_gpu "$root")" ]] || check "no driver" "nothing" "something"
mkdir -p "$root/proc/driver/nvidia"
echo "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12 19:39:15 UTC 2024" \
  >"$root/proc/driver/nvidia/version"
check "a driver" "a GPU, 535.183.01, ?" "$(find_gpu "$root")"
echo "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build  (dvs-builder@U22)" \
  >"$root/proc/driver/nvidia/version"
check "an open driver" "a GPU, 580.65.06, ?" "$(find_gpu "$root")"

# An nvidia-smi that cannot tell says so on stdout.
have() { true; }
nvidia-smi() {
  echo "NVIDIA-SMI has failed, 999.1, 9.9"
  return 9
}
check "nvidia-smi fails" "a GPU, 580.65.06, ?" "$(find_gpu "$root")"
[[ "$(find_gpu "$root")" != *failed* ]] || check "nvidia-smi fails" "a GPU" "its words"
nvidia-smi() { echo "Quadro RTX 8000, 580.95.05, 7.5"; }
check "nvidia-smi" "Quadro RTX 8000, 580.95.05, 7.5" "$(find_gpu "$root")"

# What a person reads: what is fetched, and how to have another.
check "no GPU" "SDX_PIP_ARGS with the --index-url of PyTorch's CPU builds" "$(explain_wheel "cpu: no NVIDIA GPU is here" "")"
check "an old driver" "put the --index-url of PyTorch's builds for cu126 into SDX_PIP_ARGS" "$(explain_wheel "cu126: x" "")"
check "chosen" "where SDX_PIP_ARGS says" "$(explain_wheel "cu126: x" "--index-url y")"

for pair in "default 13.0 yes" "default 12.6 yes" "default - no" "cu126 13.0 no" "cu126 12.6 yes" "cpu - yes" "driver - yes"; do
  read -r kind cuda expected <<<"$pair"
  check "suits $pair" "$expected" "$(suits "$kind: x" "${cuda#-}" && echo yes || echo no)"
done

# Which CUDA a libtorch is for: as version.py says it since 2.11, before, and in a CPU build.
# shellcheck source-path=SCRIPTDIR source=../../scripts/fetch.sh
source "$1/scripts/fetch.sh"
while IFS='|' read -r line expected; do
  printf '%s\n' "__version__ = '2.11.0'" "$line" "git_version = '70d99e'" >"$root/version.py"
  found="$(cuda_version "$root")"
  [[ "$found" == "$expected" ]] || check "version.py: $line" "$expected" "'$found'"
done <<'LINES'
cuda: Optional[str] = '13.0'|13.0
cuda = '12.6'|12.6
cuda: Optional[str] = None|
LINES

((faults == 0)) || { echo "gpu wheel: $faults faults"; exit 1; }
echo "gpu wheel: every rule holds"
