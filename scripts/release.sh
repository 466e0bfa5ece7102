#!/usr/bin/env bash
# Makes a release of what is committed: an archive that needs nothing but glibc and the C++ run time, a
# package for this distribution, a list of their parts, notes, and checksums. The version is that of
# the tag on HEAD (v0.1.0), else the project's with the commit.
#   --out DIR       where the files go (default: build/dist)
#   --archive       only the archive, no package
#   --quick         pack in seconds instead of minutes, to a larger archive: for tests
#   --no-build      release what build/release holds, as it is
#   --allow-dirty   also where files differ from HEAD's; the version then says "dirty"
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

out="$SDX_SOURCE/build/dist"
with_package=1 quick=0 with_build=1 allow_dirty=0
while (($#)); do
  case "$1" in
    -h | --help)
      show_help "${BASH_SOURCE[0]}"
      exit 0
      ;;
    --out)
      (($# >= 2)) || die "--out needs a folder."
      out="$2"
      shift
      ;;
    --archive) with_package=0 ;;
    --quick) quick=1 ;;
    --no-build) with_build=0 ;;
    --allow-dirty) allow_dirty=1 ;;
    *) die "unknown argument '$1' (--help)." ;;
  esac
  shift
done

# need PROGRAM PACKAGE
need() { have "$1" || die "$1 is missing; install it: apt-get install $2"; }
need xz xz-utils
need strip binutils
need tar tar
need python3 python3
need dpkg-query dpkg
need cmake cmake
if ((with_package)); then
  need dpkg-shlibdeps dpkg-dev
  need file file  # CPack tells with it which files have dependencies
fi

build="$SDX_SOURCE/build/release"
changed="$(git -C "$SDX_SOURCE" status --porcelain --untracked-files=no 2>/dev/null)" ||
  die "'$SDX_SOURCE' is no git checkout, so the version is not known."
if [[ -n "$changed" ]] && ((!allow_dirty)); then
  printf '%s\n' "$changed" | head -n 10 >&2
  die "these files differ from the last commit's; commit or stash them first, or say --allow-dirty."
fi

if ((with_build)); then
  run_setup
  build_release -DSDX_BUILD_TESTS=OFF
fi
[[ -f "$build/generated/sdx/release.txt" && -f "$build/share/sdx/models/mini/bundle.json" ]] ||
  die "'$build' holds no complete build; run this again without --no-build."
version="$(<"$build/generated/sdx/release.txt")"
read_cache() { sed -n "s/^$1:[A-Z]*=//p" "$build/CMakeCache.txt"; }
project="$(read_cache CMAKE_PROJECT_VERSION)"
[[ "$version" == "$project" || "$version" == "$project"[-+]* ]] ||
  die "the tag on HEAD says $version, but CMakeLists.txt says $project; mend one of them."

# What the release's notes are: the newest section of the changelog, which a release by tag must name.
notes="$(awk '/^## / { if (seen++) exit } seen' "$SDX_SOURCE/CHANGELOG.md")"
[[ "$version" == *-dev.* || "$version" == *dirty || "$notes" == "## [$version]"* ]] ||
  die "the newest section of CHANGELOG.md is not that of $version; write it first."

SOURCE_DATE_EPOCH="$(git -C "$SDX_SOURCE" log -1 --format=%ct)"
export SOURCE_DATE_EPOCH

# Where this build found libtorch and sentencepiece; the installation's settings name them.
# shellcheck source=/dev/null
source <(sed -n 's/^set(\(SDX_[A-Z]*\) "\(.*\)")$/\1=\2/p' "$build/generated/found.cmake")

mkdir -p "$out"
out="$(cd "$out" && pwd)"
work="$(mktemp -d "$out/.release.XXXXXX")"
trap 'rm -rf "$work"' EXIT

# ---------------------------------------------------------------- the archive

# Of every system that the archive is for; of another version, they would not fit its loader.
is_of_system() {
  case "$1" in
    ld-linux*.so.* | libc.so.* | libm.so.* | libdl.so.* | librt.so.* | libpthread.so.*) return 0 ;;
    libstdc++.so.* | libgcc_s.so.*) return 0 ;;
  esac
  return 1
}

# The libraries that libsdx-tools.so needs of the distribution, copied beside it. The programs' RPATH
# leads all of them there (scripts/cmake/programs.cmake).
copy_libraries() {
  local stage="$1" name arrow path
  : >"$work/origins.txt"
  while read -r name arrow path _; do
    [[ "$arrow" == "=>" ]] || continue
    [[ "$path" != not ]] || die "the library $name, which libsdx-tools.so needs, was not found."
    if [[ "$path" == /* && "$path" != "$stage"/* ]] && ! is_of_system "$name"; then
      install -m 755 -- "$path" "$stage/lib/sdx/$name"
      printf '%s\t%s\n' "$name" "$path" >>"$work/origins.txt"
    fi
  done < <(env -u LD_LIBRARY_PATH ldd "$stage/lib/sdx/libsdx-tools.so")
}

make_archive() {
  local name="$1" stage="$work/$1"
  stage_begin "archive"
  cmake --install "$build" --prefix "$stage" --component runtime --strip >"$work/install.log" 2>&1 || {
    tail -n 20 "$work/install.log" >&2
    die "the build could not be installed (see above)."
  }
  find "$stage/lib/sdx" -type f -name '*.so*' -exec chmod 755 {} + -exec strip --strip-unneeded {} +
  copy_libraries "$stage"
  python3 "$SDX_SOURCE/scripts/release/contents.py" "$stage" --source "$SDX_SOURCE" \
    --libtorch "$SDX_LIBTORCH" --sentencepiece "$SDX_SENTENCEPIECE" --version "$version" \
    --origins "$work/origins.txt"
  cp "$SDX_SOURCE/LICENSE" "$stage/"
  cp "$SDX_SOURCE/CHANGELOG.md" "$stage/share/doc/sdx/"
  sed "s/@VERSION@/$version/" "$SDX_SOURCE/scripts/release/README.txt" >"$stage/README.txt"
  # Readable by all, whatever the umask here.
  chmod -R u=rwX,go=rX "$stage"
  local level=-9  # two threads of it take 2 GB of memory; more would take more, and pack worse
  ((!quick)) || level=-0
  tar --create --directory "$work" --sort=name --format=gnu --owner=0 --group=0 --numeric-owner \
    --mtime="@$SOURCE_DATE_EPOCH" "$name" | xz "$level" --threads=2 >"$work/$name.tar.xz"
  cp "$stage/share/doc/sdx/sbom.spdx.json" "$work/sdx-$version.spdx.json"
  unpacked="$(du -sm "$stage" | cut -f 1)"
  stage_end "$unpacked MB unpacked"
}

# ---------------------------------------------------------------- the package

make_package() {
  local compression=xz
  ((!quick)) || compression=zstd
  stage_begin "package"
  (cd "$work" && cpack -G DEB --config "$build/CPackConfig.cmake" -B "$work/cpack" \
    -D "CPACK_DEBIAN_COMPRESSION_TYPE=$compression") >"$work/cpack.log" 2>&1 || {
    tail -n 20 "$work/cpack.log" >&2
    die "CPack could not make the package (see above)."
  }
  mv "$work"/cpack/*.deb "$work/"
  stage_end ""
}

make_archive "sdx-$version-linux-$(uname -m)"
((!with_package)) || make_package
printf '%s\n' "$notes" >"$work/sdx-$version-notes.md"

files=()
for file in "$work"/*.tar.xz "$work"/*.deb "$work"/*.spdx.json "$work"/*-notes.md; do
  [[ -e "$file" ]] || continue
  mv -f "$file" "$out/"
  files+=("$(basename "$file")")
done
(cd "$out" && sha256sum -- "${files[@]}" >SHA256SUMS)

stage_summary
for file in "${files[@]}"; do
  say "$(numfmt --to=si --format=%8.1f "$(stat -c %s "$out/$file")")B  $out/$file"
done
say "checksums: $out/SHA256SUMS"
