#!/usr/bin/env bash
# Builds the fuzz targets (tests/fuzz) with clang and its sanitizers, and runs one after the other.
#   scripts/fuzz.sh [SECONDS] [NAME…]   SECONDS for each target (default: 60); all targets, or these
# Says of each how often it ran, what it covered, and what it found. Ends with 1 if anything was
# found: the inputs are in build/fuzz/finds, and again with build/fuzz/bin/fuzz-NAME FILE.
# What is mended becomes a file in tests/fuzz/corpus/NAME, where unit.fuzz reads it from then on.
# Inputs that cover more than the committed ones are kept in build/fuzz/corpus for the next run.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly UNAVAILABLE=69  # as the programs' own exit code for what a machine does not have

seconds=60
names=()
for argument in "$@"; do
  case "$argument" in
    -h | --help)
      show_help "${BASH_SOURCE[0]}"
      exit 0
      ;;
    *[!0-9]*) names+=("$argument") ;;
    *) seconds="$argument" ;;
  esac
done
((seconds >= 1)) || die "expected a number of seconds from 1 up, found '$seconds'."

build="$SDX_SOURCE/build/fuzz"
finds="$build/finds"
mkdir -p "$finds"

# The compiler alone is not enough: Debian keeps its run-time libraries in a package of their own.
has_fuzzer() {
  have clang++ && printf '%s\n' '#include <cstddef>' '#include <cstdint>' \
    'extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t*, std::size_t) { return 0; }' |
    clang++ -x c++ -fsanitize=fuzzer,address -o "$build/try-fuzzer" - >"$build/try-fuzzer.log" 2>&1
}
if ! has_fuzzer; then
  printf '%s\n' "sdx: error: clang with libFuzzer is missing, and only the fuzz targets need it; install it and run this again: apt-get install clang libclang-rt-14-dev (Debian 12) or clang libclang-rt-18-dev (Ubuntu 24.04)" >&2
  exit "$UNAVAILABLE"
fi

targets=()
for source in "$SDX_SOURCE"/tests/fuzz/*_fuzz.cpp; do
  source="${source##*/}"
  targets+=("${source%_fuzz.cpp}")
done
if ((${#names[@]})); then
  for name in "${names[@]}"; do
    [[ " ${targets[*]} " == *" $name "* ]] ||
      die "no fuzz target is called '$name'; there are: ${targets[*]}."
  done
  targets=("${names[@]}")
fi

run_setup
log="$build/build.log"
stage_begin "build"
(cd "$SDX_SOURCE" && cmake --preset fuzz &&
  cmake --build build/fuzz --parallel "$(jobs_count)" --target "${targets[@]/#/fuzz-}") >"$log" 2>&1 || {
  grep -aE -A12 'error|FAILED' "$log" | head -n 80 >&2 || true
  die "the build failed; all of its output is in $log."
}
stage_end ""

# Readers want files, and these are written thousands of times a second.
if [[ -z "${TMPDIR:-}" && -w /dev/shm ]]; then export TMPDIR=/dev/shm; fi
export ASAN_OPTIONS="allocator_may_return_null=1:${ASAN_OPTIONS:-}"
export UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1:${UBSAN_OPTIONS:-}"
export OMP_WAIT_POLICY=passive

# final LOG KEY: a number of libFuzzer's statistics; empty if it did not come so far.
final() { awk -v key="stat::$2:" '$1 == key { print $2 }' "$1" | tail -n 1; }
# coverage LOG PLACE: the edges that were covered first (head) or last (tail).
coverage() { grep -aoE 'cov: [0-9]+' "$1" | "$2" -n 1 | cut -d' ' -f2; }

found=0
rows=()
stage_begin "$seconds s of each target"
for name in "${targets[@]}"; do
  log="$build/fuzz-$name.log"
  grown="$build/corpus/$name"
  mkdir -p "$grown"
  status=0
  # Longest input: 64 KiB, for which the targets themselves allow 2 s. A second or a gigabyte at
  # once is more than any of them should need.
  "$build/bin/fuzz-$name" -max_total_time="$seconds" -max_len=65536 -len_control=0 -timeout=30 \
    -rss_limit_mb=4096 -malloc_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="$finds/$name-" "$grown" "$SDX_SOURCE/tests/fuzz/corpus/$name" \
    >"$log" 2>&1 || status=$?
  find="none"
  if ((status != 0)); then
    found=$((found + 1))
    find="$(grep -aoE "Test unit written to .*" "$log" | tail -n 1 || true)"
    find="${find##* }"
    find="${find:-see $log}"
    grep -aE -m 3 'ERROR: |runtime error: |what\(\)|SUMMARY: ' "$log" | sed "s/^/$name: /" || true
  fi
  rows+=("$(printf '%-12s %12s %8s %8s  %s' "$name" "$(final "$log" number_of_executed_units)" \
    "$(coverage "$log" head)" "$(coverage "$log" tail)" "$find")")
  say "${rows[-1]}"
done
stage_end ""

stage_summary
say "$(printf '%-12s %12s %8s %8s  %s' target executions "edges at" "at end" find)"
for row in "${rows[@]}"; do say "$row"; done
((found == 0)) || die "$found of ${#targets[@]} targets found something; the inputs are in $finds."
