# shellcheck shell=bash
# Common ground of the scripts in this folder; to be sourced, never run.

set -euo pipefail

SDX_SOURCE="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
# shellcheck source-path=SCRIPTDIR source=../third_party/versions.env
source "$SDX_SOURCE/third_party/versions.env"

say() { printf '%s\n' "sdx: $*"; }

# One clear sentence, then the end: what is missing, why, what to do.
die() {
  printf '%s\n' "sdx: error: $*" >&2
  exit 1
}

# show_help SCRIPT: the comment at its top.
show_help() { sed -n '2,/^# shellcheck/{/^# shellcheck/d;s/^# \{0,1\}//p}' "$1"; }

have() { command -v "$1" >/dev/null 2>&1; }

is_ci() { [[ "${CI:-}" == "true" || "${CI:-}" == "1" ]]; }

# Third-party downloads and builds, shared by all clones of one user.
# third_party/locations.cmake follows the same rule.
cache_dir() { printf '%s\n' "${SDX_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sdx}"; }
# torch_cache [VERSION]
torch_cache() { printf '%s\n' "$(cache_dir)/libtorch-${1:-$SDX_TORCH_VERSION}-$(uname -m)"; }
sentencepiece_cache() {
  printf '%s\n' "$(cache_dir)/sentencepiece-$SDX_SENTENCEPIECE_VERSION-$(uname -m)"
}

# As many compilers as there are cores, but never more than memory allows: a file that includes
# libtorch takes up to 1.5 GB. SDX_JOBS overrides.
jobs_count() {
  local cores memory_gib fit
  if [[ -n "${SDX_JOBS:-}" ]]; then
    [[ "$SDX_JOBS" =~ ^[1-9][0-9]*$ ]] ||
      die "SDX_JOBS is '$SDX_JOBS', but must be a number from 1 up."
    printf '%s\n' "$SDX_JOBS"
    return
  fi
  cores="$(nproc)"
  memory_gib="$(awk '/^MemAvailable:/ { printf "%d", $2 / 1048576 }' /proc/meminfo)"
  fit=$((memory_gib / 2))
  ((fit >= 1)) || fit=1
  ((fit < cores)) || fit="$cores"
  printf '%s\n' "$fit"
}

# The stages of a run and the time each took, for the summary at its end.
SDX_STAGES=()
stage_begin() {
  stage_name="$1"
  stage_start="$(date +%s%N)"
  say "== $stage_name"
}
# stage_end NOTE: the note is shown beside the name, unless it is empty.
stage_end() {
  local tenths=$((($(date +%s%N) - stage_start) / 100000000))
  local took
  took="$((tenths / 10)).$((tenths % 10)) s"
  SDX_STAGES+=("$(printf '%-34s %10s' "$stage_name${1:+ ($1)}" "$took")")
}
stage_summary() {
  local line
  say "time taken:"
  for line in "${SDX_STAGES[@]}"; do
    say "  $line"
  done
}

# Configures and builds the release preset; quiet unless something is wrong. Says where time went.
build_release() {
  local log="$SDX_SOURCE/build/build.log"
  mkdir -p "$SDX_SOURCE/build"
  stage_begin "configure"
  (cd "$SDX_SOURCE" && cmake --preset release "$@") >"$log" 2>&1 || {
    tail -n 30 "$log" >&2
    die "CMake could not configure the build (see above)."
  }
  stage_end ""
  stage_begin "build"
  # Ninja's own progress line on a terminal; only its last words in a log.
  if [[ -t 1 ]]; then
    (cd "$SDX_SOURCE" && cmake --build --preset release --parallel "$(jobs_count)") ||
      die "the build failed (see above)."
  else
    (cd "$SDX_SOURCE" && cmake --build --preset release --parallel "$(jobs_count)") >"$log" 2>&1 || {
      grep -aE -A12 'error|FAILED' "$log" | head -n 80 >&2 || true
      die "the build failed; all of its output is in $log."
    }
    tail -n 1 "$log"
  fi
  stage_end ""
}

run_setup() {
  stage_begin "set-up"
  "$SDX_SOURCE/scripts/setup.sh"
  stage_end ""
}
