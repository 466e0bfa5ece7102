#!/usr/bin/env bash
# Makes a release of the build in build/release and uses it as a stranger would: another user, an
# installation that nobody may write to, an environment with nothing in it.
#   check.sh SOURCE             makes the archive and, where dpkg-shlibdeps is, the package
#   check.sh SOURCE FOLDER      checks those in FOLDER instead
# Exit code 69: a program that this needs is missing.
set -euo pipefail
for program in xz readelf setpriv; do
  command -v "$program" >/dev/null || { echo "SKIPPED: $program is missing"; exit 69; }
done
source_folder="$1"
work="$(mktemp -d)"
trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT
chmod 755 "$work"

fail() {
  printf 'release: %s\n' "$*"
  exit 1
}

releases="${2:-$work/releases}"
if (($# < 2)); then
  arguments=(--no-build --allow-dirty --quick --out "$releases")
  command -v dpkg-shlibdeps >/dev/null || arguments+=(--archive)
  "$source_folder/scripts/release.sh" "${arguments[@]}" >"$work/log.txt" 2>&1 ||
    { cat "$work/log.txt" && fail "release.sh failed"; }
  cat "$work/log.txt"
fi
(cd "$releases" && sha256sum --check --quiet SHA256SUMS) || fail "the checksums are not those of the files"

# stranger COMMAND…: as a user who owns nothing but a home and the folder to work in.
stranger() {
  local -a as_user=()
  if ((EUID == 0)); then
    as_user=(setpriv --reuid=65534 --regid=65534 --clear-groups --bounding-set=-all)
  fi
  (cd "$work/home/pictures" && "${as_user[@]}" env -i PATH=/usr/bin:/bin HOME="$work/home" \
    OMP_WAIT_POLICY=passive "$@")
}
mkdir -p "$work/home/pictures"
((EUID != 0)) || chown -R 65534:65534 "$work/home"

# Every library that a program loads is the installation's or the system's.
# check_libraries PREFIX PATTERN: an extended regular expression of what the system may give.
check_libraries() {
  local prefix="$1" system="$2" file path paths
  while IFS= read -r file; do
    paths="$(readelf -d "$file" | sed -n 's/.*Library \(rpath\|runpath\): \[\(.*\)\]/\2/p' | tr ':' '\n')"
    while IFS= read -r path; do
      [[ -z "$path" || "$path/" == \$ORIGIN/* ]] ||
        fail "$file looks for libraries in '$path', which is not beside it"
    done <<<"$paths"
  done < <(find "$prefix/bin" "$prefix/lib" -type f)
  stranger LD_DEBUG=libs "$prefix/bin/sdx-model" list 2>&1 |
    sed -n 's/.*calling init: //p' | sort -u >"$work/loaded.txt"
  while IFS= read -r path; do
    [[ "$(realpath "$path")" == "$prefix"/* || "$path" =~ $system ]] ||
      fail "$path is loaded, which is neither the release's nor the system's"
  done <"$work/loaded.txt"
  grep -q "^$prefix/.*/libtorch_cpu.so$" "$work/loaded.txt" || fail "libtorch is not the release's"
}

# What both kinds have in common. check_files PREFIX MAN_PAGE ZSH_FOLDER
check_files() {
  local prefix="$1" page="$2" zsh="$3" name
  MANPAGER="cat" man -l "$prefix/share/man/man1/$page" >"$work/page.txt" 2>/dev/null ||
    gunzip -cf "$prefix/share/man/man1/$page" >"$work/page.txt"
  grep -q -- "name" "$work/page.txt" || fail "$page is no manual page"
  for name in bash-completion/completions/sdx-train "$zsh/_sdx-train" \
    fish/vendor_completions.d/sdx-train.fish doc/sdx/sbom.spdx.json doc/sdx/CHANGELOG.md \
    doc/sdx/third-party/libtorch.txt doc/sdx/third-party/sentencepiece.txt; do
    [[ -s "$prefix/share/$name" ]] || fail "share/$name is missing"
  done
  [[ -z "$(find "$prefix" -name '*sdx-bench*')" ]] || fail "sdx-bench belongs to a build"
  # Each file of bin and lib is some part's, by its hash.
  while IFS= read -r name; do
    grep -qF "$(sha256sum "$name" | cut -d ' ' -f 1)" "$prefix/share/doc/sdx/sbom.spdx.json" ||
      fail "the list of parts lacks $name as it is"
  done < <(find "$prefix/bin" "$prefix/lib" -type f)
}

# Nothing but these of the system: libraries that every Debian 12 and Ubuntu 24.04 has.
bare='^(/usr)?/lib(64|/x86_64-linux-gnu|/aarch64-linux-gnu)?/(ld-linux[^/]*|lib(c|m|dl|rt|pthread|stdc\+\+|gcc_s)\.so\.[0-9]+)$'

# ---------------------------------------------------------------- the archive

archives=("$releases"/*.tar.xz)
tar -xJf "${archives[0]}" -C "$work"
# Moved after it was unpacked, into a folder with a blank in its name.
mkdir "$work/opt of all"
mv "$work"/sdx-*-linux-* "$work/opt of all/sdx"
prefix="$work/opt of all/sdx"
chmod -R a-w "$work/opt of all"
[[ -s "$prefix/README.txt" && -s "$prefix/LICENSE" ]] || fail "README.txt or LICENSE is missing"
check_files "$prefix" sdx-train.1 zsh/site-functions
check_libraries "$prefix" "$bare"

# README's commands, the programs reached by links.
mkdir "$work/links"
ln -s "$prefix"/bin/* "$work/links/"
ln -s "$prefix/share/sdx" "$work/home/pictures/configs"
stranger "$work/links/sdx-train" configs/demo/portraits/ada --name Ada -q ||
  fail "the archive's sdx-train failed"
stranger "$work/links/sdx-generate" "<Ada> in the snow" --seed 7 --upscale cartoon-4x -q >"$work/picture.txt" ||
  fail "the archive's sdx-generate failed"
picture="$work/home/pictures/$(<"$work/picture.txt")"
[[ "$(head -c 4 "$picture")" == $'\x89PNG' ]] || fail "no picture in '$picture'"
stranger "$work/links/sdx-model" list >"$work/list.txt" || fail "the archive's sdx-model failed"
grep -qF "$prefix/share/sdx/models/mini" "$work/list.txt" || fail "sdx-model list does not say where mini lies"
[[ -z "$(find "$prefix" -newer "$work/list.txt")" ]] || fail "something was written into the installation"

# ---------------------------------------------------------------- the package

packages=("$releases"/*.deb)
if [[ -e "${packages[0]}" ]]; then
  dpkg-deb -x "${packages[0]}" "$work/root"
  chmod -R a-w "$work/root"
  prefix="$work/root/usr"
  check_files "$prefix" sdx-train.1.gz zsh/vendor-completions
  # What its dependencies bring lies where the distribution's libraries are.
  check_libraries "$prefix" '^(/usr)?/lib(64|/[a-z0-9_]+-linux-gnu)?/'
  dpkg-deb --field "${packages[0]}" Depends | grep -q 'libopencv-core' || fail "the package does not depend on OpenCV"
  dpkg-deb --field "${packages[0]}" Depends | grep -q 'torch' && fail "the package depends on a libtorch besides its own"
  stranger "$prefix/bin/sdx-generate" "<Ada> in the snow" --seed 7 --upscale cartoon-4x -q --out deb >"$work/picture.txt" ||
    fail "the package's sdx-generate failed"
  cmp "$picture" "$work/home/pictures/$(<"$work/picture.txt")" || fail "package and archive draw different pictures"
fi
echo "release: a stranger can use it"
