#!/usr/bin/env bash
# Packs what scripts/gpu/check.sh needs on a machine with an NVIDIA GPU: the programs and their test,
# built against a libtorch for NVIDIA GPUs, with the libraries that a bare system lacks. No GPU is
# needed here, and no compiler there: a checkout of the same commit, Python and the same torch do.
#   --torch VERSION   of the torch there (default: 2.11.0)
#   --out FOLDER      where kit.tar.xz is put (default: build/gpu)
# The first run fetches 3 GB (scripts/check_cuda_build.sh) and compiles for 10 to 20 minutes.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

MOST_BYTES=20000000  # it is carried by hand

version="$SDX_TORCH_OLDEST"
out="$SDX_SOURCE/build/gpu"
while (($#)); do
  case "$1" in
    -h | --help)
      show_help "${BASH_SOURCE[0]}"
      exit 0
      ;;
    --torch)
      [[ "${2:-}" =~ ^[0-9]+(\.[0-9]+)+$ ]] ||
        die "--torch needs a version such as $version, found '${2:-}'."
      version="$2"
      shift
      ;;
    --out)
      [[ -n "${2:-}" ]] || die "--out needs a folder."
      out="$2"
      shift
      ;;
    *) die "unknown argument '$1'; see scripts/gpu/kit.sh --help." ;;
  esac
  shift
done
have xz || die "xz is missing, which packs the kit; install the package xz-utils."
cd "$SDX_SOURCE"
build="$SDX_SOURCE/build/torch-$version"
log="$build.log"
mkdir -p "$out"
out="$(cd "$out" && pwd)"

# The whole build once, as somebody builds it; then what the kit wants beside that.
scripts/check_cuda_build.sh --torch "$version"
"$build/bin/sdx-generate" --version | grep -q ', GPU recordings built in$' ||
  die "the build does not record a GPU's work; see what CMake says of CUDA's headers in $log."

stage="$(mktemp -d "$out/.kit.XXXXXX")"
trap 'rm -rf "$stage"' EXIT

# configure_and_build ON|OFF TARGET…: with or without recordings.
configure_and_build() {
  local recordings="$1"
  shift
  {
    cmake -B "$build" -DSDX_BUILD_TESTS=ON -DSDX_GPU_RECORDINGS="$recordings" &&
      cmake --build "$build" --target "$@" --parallel "$(jobs_count)"
  } >"$log" 2>&1 || {
    tail -n 30 "$log" >&2
    die "$* could not be built (see above)."
  }
}

# add_program FOLDER FILE…: without the names that only a debugger reads.
add_program() {
  local folder="$1" file
  shift
  mkdir -p "$folder"
  for file in "$@"; do
    strip --strip-unneeded -o "$folder/$(basename "$file")" "$file"
  done
}

stage_begin "without recordings, to measure what they are worth"
configure_and_build OFF sdx-bench
add_program "$stage/plain/lib/sdx" "$build/lib/sdx/libsdx-tools.so"
add_program "$stage/plain/bin" "$build/bin/sdx-bench"
stage_end ""

stage_begin "with recordings, and the test"
configure_and_build ON sdx-cli-tests sdx-bench sdx-generate sdx-model sdx-roster sdx-tokenize sdx-train
add_program "$stage/bin" "$build"/bin/sdx-*
add_program "$stage/lib/sdx" "$build/lib/sdx/libsdx-tools.so"
stage_end ""

stage_begin "pack"
mkdir -p "$stage/libs" "$stage/share/sdx"
# What the programs load, but for libtorch, NVIDIA's libraries and the C and C++ run time.
while read -r name path; do
  cp -L "$path" "$stage/libs/$name"
done < <(ldd "$build/lib/sdx/libsdx-tools.so" "$build/bin/sdx-cli-tests" |
  awk '$3 ~ "^/" { print $1, $3 }' | sort -u |
  grep -vE '/torch/lib/|/nvidia/|^lib(c|m|dl|rt|pthread|gcc_s|stdc\+\+)\.so')
cp -rL "$build/share/sdx/haarcascades" "$stage/share/sdx/"
# For the test, which knows its programs and data by the paths of this checkout.
printf '%s\n' "$build" >"$stage/build-folder"
printf '%s\n' "$SDX_SOURCE" >"$stage/source-folder"
printf '%s\n' "$version" >"$stage/torch-version"
archive="$out/kit.tar.xz"
XZ_OPT="-9 -T0" tar -C "$stage" -cJf "$stage.tar.xz" .
mv "$stage.tar.xz" "$archive"
bytes="$(stat -c %s "$archive")"
stage_end ""
stage_summary
((bytes <= MOST_BYTES)) ||
  die "'$archive' has $bytes bytes, more than $MOST_BYTES; see what has grown with 'tar -tvJf'."
say "$archive: $((bytes / 1000000)) MB; take it to the machine with the GPU, beside a checkout of this commit, and run there: scripts/gpu/check.sh a"
