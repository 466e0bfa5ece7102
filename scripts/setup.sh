#!/usr/bin/env bash
# Installs what is missing to build sdx, and says what before it does it.
# For Debian 12 and Ubuntu 24.04, as root or with sudo. A second run finds everything and changes
# nothing. Environment:
#   SDX_LIBTORCH      an unpacked libtorch to use instead of fetching one
#   SDX_PIP_ARGS      more arguments for the pip that fetches libtorch, for example the --index-url
#                     of PyTorch's CPU builds (else it may be a build for NVIDIA GPUs, several GB), or
#                     of those for an older CUDA; which one suits this machine is said (docs/gpu.md)
#   SDX_CACHE         where libtorch and sentencepiece are kept (default: ~/.cache/sdx)
#   SDX_SENTENCEPIECE_SDIST  sentencepiece's source archive, if it cannot be fetched
#   SDX_DLIB=1        install dlib as well, for the face network (CMake: SDX_WITH_DLIB); its two model
#                     files are in the Python package face-recognition-models (docs/user-guide.md)
#   SDX_NO_APT=1      do not ask for system packages (they are there under other names)
#   SDX_PYTHON        the Python whose pip fetches the archives (default: the system's)
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=fetch.sh
source "$(dirname "${BASH_SOURCE[0]}")/fetch.sh"
# shellcheck source-path=SCRIPTDIR source=gpu_wheel.sh
source "$(dirname "${BASH_SOURCE[0]}")/gpu_wheel.sh"

case "${1:-}" in
  -h | --help)
    show_help "${BASH_SOURCE[0]}"
    exit 0
    ;;
  "") ;;
  *) die "unknown argument '$1'; scripts/setup.sh takes none, its settings are in the environment (--help)." ;;
esac

# ---------------------------------------------------------------- system packages

# Package, then what it is needed for. The names are the same on Debian 12 and Ubuntu 24.04.
SYSTEM_PACKAGES=(
  "g++|compiler"
  "cmake|build"
  "ninja-build|build"
  "ccache|build: unchanged files are not compiled twice"
  "pkg-config|build"
  "git|build: the revision shown by --version"
  "python3|fetching libtorch and sentencepiece; not used by sdx itself"
  "python3-venv|fetching libtorch and sentencepiece"
  "ca-certificates|fetching libtorch and sentencepiece"
  "libopencv-core-dev|OpenCV: pictures"
  "libopencv-imgproc-dev|OpenCV: pictures"
  "libopencv-imgcodecs-dev|OpenCV: pictures"
  "libopencv-objdetect-dev|OpenCV: face finding"
  "libopencv-dnn-dev|OpenCV: face finding"
  "libopencv-photo-dev|OpenCV: picture quality"
  "opencv-data|OpenCV: face finding (Haar cascades)"
  "libcli11-dev|command line"
  "libspdlog-dev|logging"
  "nlohmann-json3-dev|JSON"
  "catch2|tests"
  "libpng-dev|PNG with the prompt inside"
  "libjpeg-dev|JPEG metadata"
  "libwebp-dev|WebP metadata"
  "libexif-dev|EXIF: camera rotation"
  "liblcms2-dev|colour profiles of pictures"
  "libgif-dev|GIF"
  "libheif-dev|HEIC and AVIF"
  "libtiff-dev|TIFF"
  "libssl-dev|SHA-256"
  "libutf8proc-dev|Unicode tables: CLIP's tokenizer"
)

if [[ "${SDX_DLIB:-}" == "1" ]]; then
  SYSTEM_PACKAGES+=("libdlib-dev|dlib: face network" "libopenblas-pthread-dev|dlib: fast matrices")
fi

ROOT_COMMAND=()

# How to become root without asking anything that nobody can answer.
find_root_command() {
  local packages="$1"
  if ((EUID == 0)); then
    ROOT_COMMAND=(env)
  elif have sudo; then
    ROOT_COMMAND=(sudo)
    # Without a terminal nobody can type a password, so sudo must work without one.
    if is_ci || [[ ! -t 0 ]]; then
      ROOT_COMMAND=(sudo -n)
      sudo -n true 2>/dev/null ||
        die "system packages are missing and sudo wants a password, but there is no terminal to ask on; run first: sudo apt-get install --no-install-recommends $packages"
    fi
  else
    die "system packages are missing, and this is neither root nor is there sudo; ask an administrator to run: apt-get install --no-install-recommends $packages"
  fi
}

apt() {
  "${ROOT_COMMAND[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@"
}

update_package_lists() {
  say "fetching the package lists (apt-get update)"
  apt update -q >"$scratch/apt-update.log" 2>&1 || {
    tail -n 5 "$scratch/apt-update.log" >&2
    die "the package lists could not be fetched (see above); check the network and /etc/apt, then run this again."
  }
}

install_system_packages() {
  local entry package installed plan
  local -a missing=() reasons=()
  installed="$(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' 2>/dev/null |
    awk '$1 ~ /^.i/ { print $2 }')"
  for entry in "${SYSTEM_PACKAGES[@]}"; do
    package="${entry%%|*}"
    if ! grep -qxF -- "$package" <<<"$installed"; then
      missing+=("$package")
      reasons+=("$(printf '  %-26s %s' "$package" "${entry#*|}")")
    fi
  done
  ((${#missing[@]})) || return 0

  find_root_command "${missing[*]}"
  say "these system packages are missing and will be installed with apt-get:"
  printf '%s\n' "${reasons[@]}"
  plan="$scratch/apt-plan.txt"
  # A simulation tells what else comes with them. It fails where the package lists are empty or old.
  simulate() {
    LC_ALL=C apt-get install --simulate --no-install-recommends "${missing[@]}" >"$plan" 2>&1
  }
  if ! simulate; then
    update_package_lists
    if ! simulate; then
      grep '^E:' "$plan" >&2 || true
      die "this system's package sources do not offer all of: ${missing[*]}; sdx is made for Debian 12 and Ubuntu 24.04 (on Ubuntu 'universe' must be enabled). Install the like by hand, then run again with SDX_NO_APT=1."
    fi
  fi
  awk '/^Inst/ { print $2 }' "$plan" | sort -u | xargs apt-cache show --no-all-versions 2>/dev/null |
    awk '/^Package:/ { count++ } /^Size:/ { fetch += $2 } /^Installed-Size:/ { disk += $2 }
      END { printf "  with all that they need: %d packages, %.0f MB to fetch, %.0f MB on disk\n",
            count, fetch / 1e6, disk / 1024 }'

  if ! apt install -y -q --no-install-recommends "${missing[@]}" >"$scratch/apt.log" 2>&1; then
    # The usual cause: lists so old that a file is gone from the server.
    update_package_lists
    apt install -y -q --no-install-recommends "${missing[@]}" >"$scratch/apt.log" 2>&1 || {
      grep '^E:' "$scratch/apt.log" >&2 || tail -n 15 "$scratch/apt.log" >&2
      die "apt-get could not install ${missing[*]} (see above); mend that, then run this again."
    }
  fi
  say "system packages installed"
}

# ---------------------------------------------------------------- libtorch

install_libtorch() {
  local fault choice
  choice="$(choose_wheel "$(find_gpu "")")"
  if [[ -n "${SDX_LIBTORCH:-}" ]]; then
    [[ -d "$SDX_LIBTORCH" ]] || die "SDX_LIBTORCH names '$SDX_LIBTORCH', which is not a folder."
    torch_dir="$(cd "$SDX_LIBTORCH" && pwd)"
    fault="$(torch_fault "$torch_dir")"
    [[ -z "$fault" ]] ||
      die "SDX_LIBTORCH names '$SDX_LIBTORCH', which is not an unpacked libtorch: $fault."
    return
  fi
  [[ -f "$(torch_cache)/.complete" ]] || explain_wheel "$choice" "${SDX_PIP_ARGS:-}"
  fetch_libtorch "$SDX_TORCH_VERSION"
  torch_dir="$(torch_cache)/torch"
  suits "$choice" "$(cuda_version "$torch_dir")" || {
    explain_wheel "$choice" "${SDX_PIP_ARGS:-}"
    say "the libtorch in $(torch_cache) does not suit this GPU, so sdx computes on the processor; for another one remove that folder and run this again"
  }
}

# ---------------------------------------------------------------- sentencepiece

# Debian's and Ubuntu's shared library must not be used: it exports a protobuf of its own, which
# clashes with OpenCV's (crash before main), and a flag that makes libtorch's first script call hang.
install_sentencepiece() {
  local target stage source archive build
  target="$(sentencepiece_cache)"
  sentencepiece_dir="$target"
  [[ ! -f "$target/.complete" ]] || return 0

  say "sentencepiece $SDX_SENTENCEPIECE_VERSION will be fetched with pip as source and built (3 MB to fetch, 1 to 2 minutes on two cores), into $target"
  mkdir -p "$scratch/sdist"
  if [[ -n "${SDX_SENTENCEPIECE_SDIST:-}" ]]; then
    archive="$SDX_SENTENCEPIECE_SDIST"
    [[ -f "$archive" ]] || die "SDX_SENTENCEPIECE_SDIST names '$archive', which is not a file."
  else
    make_pip
    # pip checks the archive against the hash, so a changed or cut-off one is refused.
    printf '%s --hash=sha256:%s\n' "sentencepiece==$SDX_SENTENCEPIECE_VERSION" \
      "$SDX_SENTENCEPIECE_SHA256" >"$scratch/sentencepiece.txt"
    run_pip download --no-deps --no-binary sentencepiece --dest "$scratch/sdist" \
      --requirement "$scratch/sentencepiece.txt" ||
      die "sentencepiece's source could not be fetched with pip (see above); check the network, or name the archive sentencepiece-$SDX_SENTENCEPIECE_VERSION.tar.gz in SDX_SENTENCEPIECE_SDIST."
    archive="$scratch/sdist/sentencepiece-$SDX_SENTENCEPIECE_VERSION.tar.gz"
  fi
  printf '%s  %s\n' "$SDX_SENTENCEPIECE_SHA256" "$archive" | sha256sum --check --status ||
    die "'$archive' is not the source of sentencepiece $SDX_SENTENCEPIECE_VERSION: its SHA-256 is not $SDX_SENTENCEPIECE_SHA256."
  tar -xzf "$archive" -C "$scratch"
  source="$scratch/sentencepiece-$SDX_SENTENCEPIECE_VERSION/sentencepiece"
  build="$scratch/sentencepiece-build"
  # Only the static library for tokenizing: no trainer, no programs. Hidden, so that its protobuf
  # stays its own.
  {
    cmake -S "$source" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release \
      -DCMAKE_POLICY_VERSION_MINIMUM=3.5 -DCMAKE_POSITION_INDEPENDENT_CODE=ON \
      -DCMAKE_CXX_VISIBILITY_PRESET=hidden -DCMAKE_VISIBILITY_INLINES_HIDDEN=ON \
      -DSPM_ENABLE_SHARED=OFF -DSPM_ENABLE_TCMALLOC=OFF &&
      cmake --build "$build" --target sentencepiece-static --parallel "$(jobs_count)"
  } >"$scratch/sentencepiece.log" 2>&1 || {
    tail -n 20 "$scratch/sentencepiece.log" >&2
    die "sentencepiece $SDX_SENTENCEPIECE_VERSION could not be built (see above)."
  }
  stage="$scratch/sentencepiece-install"
  mkdir -p "$stage/lib" "$stage/include"
  cp "$build/src/libsentencepiece.a" "$stage/lib/"
  cp "$source/src/sentencepiece_processor.h" "$stage/include/"
  cp "$source/LICENSE" "$stage/"
  touch "$stage/.complete"
  rm -rf "$target"
  mv "$stage" "$target"
  say "sentencepiece $SDX_SENTENCEPIECE_VERSION installed"
}

# ---------------------------------------------------------------- all of it

main() {
  open_cache
  if [[ "${SDX_NO_APT:-}" != "1" ]]; then
    if ! have apt-get || ! have dpkg-query; then
      die "this system has no apt-get, and sdx is made for Debian 12 and Ubuntu 24.04; install the like of these packages by hand, then run again with SDX_NO_APT=1: ${SYSTEM_PACKAGES[*]%%|*}"
    fi
    install_system_packages
  fi
  install_libtorch
  install_sentencepiece

  # For this checkout's CMake, so that 'cmake --preset release' needs no variables.
  mkdir -p "$SDX_SOURCE/build"
  {
    printf '# Written by scripts/setup.sh.\n'
    printf 'set(SDX_LIBTORCH_FOUND [==[%s]==])\n' "$torch_dir"
    printf 'set(SDX_SENTENCEPIECE_FOUND [==[%s]==])\n' "$sentencepiece_dir"
  } >"$scratch/locations.cmake"
  if ! cmp -s "$scratch/locations.cmake" "$SDX_SOURCE/build/locations.cmake"; then
    mv "$scratch/locations.cmake" "$SDX_SOURCE/build/locations.cmake"
  fi
  say "everything that the build needs is there (libtorch: $torch_dir)"
}

main
