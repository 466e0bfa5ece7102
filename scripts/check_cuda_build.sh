#!/usr/bin/env bash
# Checks that sdx compiles, links and starts with another libtorch than its own: a build for NVIDIA
# GPUs, or an older or newer one. No GPU is needed. Arguments:
#   --torch VERSION   the version (default: 2.14.1)
#   --cpu             a build without CUDA will do
# The wheel is fetched like scripts/setup.sh does it, with the settings named there (about 3 GB and 6
# GB on disk for a build with CUDA), and kept in the cache; the programs are built in
# build/torch-VERSION (about 6 minutes of CPU time), warnings being errors, and make a picture.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=fetch.sh
source "$(dirname "${BASH_SOURCE[0]}")/fetch.sh"

version=2.14.1
wants_cuda=1
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
    --cpu) wants_cuda=0 ;;
    *) die "unknown argument '$1'; see scripts/check_cuda_build.sh --help." ;;
  esac
  shift
done

run_setup

stage_begin "libtorch $version"
# In a process of its own, so that nobody waits for the cache while we compile.
(
  open_cache
  fetch_libtorch "$version"
)
torch_dir="$(torch_cache "$version")/torch"
has_cuda=0
[[ ! -e "$torch_dir/lib/libtorch_cuda.so" ]] || has_cuda=1
((has_cuda || !wants_cuda)) ||
  die "'$torch_dir' is a build without CUDA, as pip's index or SDX_PIP_ARGS chose; remove that folder and choose another, or be content with --cpu."
stage_end ""

build="$SDX_SOURCE/build/torch-$version"
log="$build.log"
# logged WHAT COMMAND…: quiet unless it fails.
logged() {
  local what="$1"
  shift
  stage_begin "$what"
  "$@" >"$log" 2>&1 || {
    grep -aE -A12 'error|FAILED' "$log" | head -n 80 >&2 || tail -n 30 "$log" >&2
    die "$what: failed with libtorch $version (see above); all of the output is in $log."
  }
  stage_end ""
}
cd "$SDX_SOURCE"
logged "configure" cmake --preset release -B "$build" -DSDX_LIBTORCH="$torch_dir" \
  -DSDX_BUILD_TESTS=OFF -DSDX_WARNINGS_AS_ERRORS=ON
logged "build" cmake --build "$build" --parallel "$(jobs_count)"

# Through libtorch.so, of which no symbol is used: a linker may drop it.
libraries="$(ldd "$build/lib/sdx/libsdx-tools.so")"
[[ "$libraries" != *"not found"* ]] ||
  die "libraries are missing: $(grep 'not found' <<<"$libraries" | tr -s '\t\n' ' ')"
((!has_cuda)) || [[ "$libraries" == *libtorch_cuda.so* ]] ||
  die "libsdx-tools.so does not load libtorch_cuda.so, so no GPU would ever be found; third_party/torch.cmake links it."

stage_begin "a picture"
pictures="$(mktemp -d)"
trap 'rm -rf "$pictures"' EXIT
"$build/bin/sdx-generate" "a robot" --model mini --device cpu --seed 1 --steps 4 --quiet \
  --out "$pictures" || die "sdx-generate does not work with libtorch $version (see above)."
told="$("$build/bin/sdx-generate" --version)"
[[ "$told" == *"libtorch $version"* ]] || die "sdx-generate --version says '$told', not libtorch $version."
stage_end ""
stage_summary
say "$told: compiles, links$( ((!has_cuda)) || echo " with CUDA") and makes a picture"
