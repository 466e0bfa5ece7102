# shellcheck shell=bash
# Fetching with pip what is kept in the cache; to be sourced after lib.sh, never run.

# Makes the cache, waits until nobody else fills it, and sets `scratch`, a folder in it that goes with
# the script. Everything is made in there, on the cache's file system, and moved into place only when
# whole.
open_cache() {
  local cache
  cache="$(cache_dir)"
  mkdir -p "$cache" 2>/dev/null ||
    die "the cache folder '$cache' cannot be made; name a writable one in SDX_CACHE."
  [[ -w "$cache" ]] || die "the cache folder '$cache' is not writable; name another in SDX_CACHE."

  # Two clones may fetch at the same time: the second waits and then finds everything done.
  { exec 9>"$cache/.lock"; } 2>/dev/null ||
    die "'$cache/.lock' is not writable: the cache belongs to another user; name another in SDX_CACHE."
  if ! flock -n 9; then
    say "waiting for another script to finish fetching"
    flock 9
  fi
  scratch="$(mktemp -d "$cache/.fetch.XXXXXX")"
  trap 'rm -rf "$scratch"' EXIT
}

python_for_pip() {
  local python="${SDX_PYTHON:-/usr/bin/python3}"
  [[ -x "$python" ]] || python="$(command -v "${SDX_PYTHON:-python3}" || true)"
  [[ -n "$python" ]] ||
    die "Python 3 is missing; its pip fetches libtorch and sentencepiece. Install python3-venv, or give an unpacked libtorch in SDX_LIBTORCH and sentencepiece's source in SDX_SENTENCEPIECE_SDIST."
  printf '%s\n' "$python"
}

# A pip of our own in the scratch folder, so that neither the system's nor the user's Python changes.
make_pip() {
  [[ -z "${PIP:-}" ]] || return 0
  local python
  python="$(python_for_pip)"
  "$python" -m venv "$scratch/venv" >"$scratch/venv.log" 2>&1 || {
    tail -n 3 "$scratch/venv.log" >&2
    die "'$python -m venv' does not work; install the package python3-venv, or name another Python in SDX_PYTHON."
  }
  PIP="$scratch/venv/bin/pip"
}

run_pip() {
  local verbosity=(--quiet)
  [[ ! -t 1 ]] || verbosity=()
  TMPDIR="$scratch" PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 \
    "$PIP" "$@" "${verbosity[@]}"
}

# Says what is wrong with a libtorch folder, or nothing.
torch_fault() {
  local folder="$1" file
  for file in lib/libtorch_cpu.so lib/libc10.so include/torch/script.h \
    include/ATen/core/Tensor.h; do
    [[ -e "$folder/$file" ]] || {
      printf '%s\n' "it has no $file"
      return
    }
  done
}

# The wheel for NVIDIA GPUs needs NVIDIA's libraries even to start. They are named in the wheel's
# own list of requirements; the Python packages in that list are of no use here.
install_cuda_libraries() {
  local target="$1" requirement
  shift
  local -a requirements=()
  while IFS= read -r requirement; do
    requirements+=("$requirement")
  done < <(sed -n 's/^Requires-Dist: *\(\(nvidia-\|cuda-toolkit\).*\)/\1/p' "$target"/torch-*.dist-info/METADATA)
  ((${#requirements[@]})) || return 0
  say "this libtorch is a build for NVIDIA GPUs: fetching NVIDIA's libraries for it as well (about 3 GB; for a build without them, set SDX_PIP_ARGS to the --index-url of PyTorch's CPU builds and remove the one in $(cache_dir))"
  run_pip install --target "$target" "${requirements[@]}" "$@" ||
    die "NVIDIA's libraries for libtorch could not be fetched with pip (see above); use a CPU build (SDX_PIP_ARGS) or an unpacked libtorch (SDX_LIBTORCH)."
}

# cuda_version TORCH_FOLDER: of a libtorch for NVIDIA GPUs, as "13.0"; nothing for another one.
cuda_version() {
  sed -n "s/^cuda\(: *Optional\[str\]\)\? *= *'\([0-9]*\.[0-9]*\).*/\2/p" "$1/version.py" 2>/dev/null || true
}

# The headers of CUDA's compiler (crt/), a few hundred kB, which no library needs but a build that
# records a GPU's work (docs/gpu.md). In a folder of their own: pip does not add to one that is there.
# They are worth having and not needed: without them, a GPU's work is started kernel by kernel.
fetch_cuda_headers() {
  local target="$1" version requirement
  shift
  version="$(cuda_version "$target/torch")"
  [[ -n "$version" ]] || return 0
  ! compgen -G "$target/nvidia/*/include/crt/host_config.h" >/dev/null || return 0
  requirement="nvidia-cuda-crt==$version.*"
  ((${version%%.*} >= 13)) || requirement="nvidia-cuda-nvcc-cu${version%%.*}==$version.*"
  make_pip
  say "fetching the headers of CUDA $version's compiler as well, so that a GPU's work can be recorded"
  if run_pip install --no-deps --no-compile --target "$scratch/headers" "$requirement" "$@"; then
    (cd "$scratch/headers" && find nvidia -path '*/include/*' -type f -print0 |
      xargs -0 cp --parents --target-directory "$target")
  else
    say "they could not be fetched (see above): sdx works without them, but slower on a GPU; run this again when they can be"
  fi
}

# fetch_libtorch VERSION: puts it into $(torch_cache VERSION)/torch, if it is not there.
fetch_libtorch() {
  local version="$1" fault target stage
  local -a pip_args
  target="$(torch_cache "$version")"
  read -r -a pip_args <<<"${SDX_PIP_ARGS:-}"
  if [[ -f "$target/.complete" ]]; then
    fetch_cuda_headers "$target" "${pip_args[@]}"
    return
  fi

  say "libtorch $version will be fetched with pip, as the wheel 'torch' without its Python dependencies"
  say "  (CPU build: 0.2 GB to fetch, 0.8 GB on disk; a GPU build is several times that), into $target"
  make_pip
  stage="$scratch/libtorch"
  run_pip install --no-deps --no-compile --target "$stage" "torch==$version" "${pip_args[@]}" ||
    die "libtorch could not be fetched: pip found no 'torch==$version' for this Python and system (see above). Check the network, name another package index in SDX_PIP_ARGS, or unpack a libtorch and name its folder in SDX_LIBTORCH."
  if [[ -e "$stage/torch/lib/libtorch_cuda.so" ]]; then
    install_cuda_libraries "$stage" "${pip_args[@]}"
    fetch_cuda_headers "$stage" "${pip_args[@]}"
  fi
  fault="$(torch_fault "$stage/torch")"
  [[ -z "$fault" ]] || die "the wheel torch==$version is not usable as a libtorch: $fault."
  touch "$stage/.complete"
  rm -rf "$target"
  mv "$stage" "$target"
  say "libtorch $version installed"
}
