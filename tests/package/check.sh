#!/usr/bin/env bash
# Installs the library, builds docs/examples/avatar.cpp against the installed package, and runs it on
# the tiny model: check.sh SOURCE BUILD
set -euo pipefail
source_folder="$1" build_folder="$2"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

cmake --install "$build_folder" --prefix "$work/sdx" >"$work/log.txt" 2>&1 ||
  { cat "$work/log.txt" && exit 1; }
# What is installed finds its libraries beside it, none in the cache in which the build found libtorch.
for file in "$work"/sdx/bin/* "$work/sdx/lib/sdx/libsdx-tools.so"; do
  path="$(readelf -d "$file" | sed -n 's/.*Library r\(un\)\?path: \[\(.*\)\]/\2/p')"
  [[ ":$path" != *:[!$]* ]] || { echo "$file looks for libraries in $path" && exit 1; }
done
[[ "$(ldd "$work/sdx/lib/sdx/libsdx-tools.so")" == *"libtorch_cpu.so => $work/sdx/lib/sdx/"* ]] ||
  { echo "the installed programs do not use the installed libtorch" && exit 1; }
# Nothing of the checkout: only what was installed.
cp "$source_folder/tests/package/CMakeLists.txt" "$work/"
cp "$source_folder/docs/examples/avatar.cpp" "$work/"
{
  cmake -S "$work" -B "$work/build" -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$work/sdx" \
    -DAVATAR_SOURCE="$work/avatar.cpp" && cmake --build "$work/build"
} >"$work/log.txt" 2>&1 || { cat "$work/log.txt" && exit 1; }

"$work/sdx/bin/sdx-model" import "$source_folder/tests/data/tiny" --name tiny --models-dir "$work/models" -q >/dev/null
cd "$work"
SDX_DATA="$work/sdx/share/sdx" build/avatar "$work/models/tiny" \
  "$source_folder/configs/demo/portraits/ada" Ada "<Ada> in the snow" 2
for made in avatar.safetensors avatar.png run/summary.json; do
  [[ -s "$made" ]] || { echo "avatar made no $made" && exit 1; }
done
echo "the example trained and drew"
